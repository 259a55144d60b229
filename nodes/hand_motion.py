"""A hand driver: hands that follow a voice, made by EMO2's first stage."""

from typing import TYPE_CHECKING, Any

from .bridge.api import RARELY_TOUCHED, io, schema
from .bridge.gesture_models import gesture_model_path, gesture_models
from .bridge.models import file_state

if TYPE_CHECKING:
    from .helpers.types import AudioTrack

STYLES = ["speaking", "singing", "dance"]
HANDS = {"both": (True, True), "left": (True, False), "right": (False, True)}


class HandMotion(io.ComfyNode):
    """Make hand motion from a voice."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        amplitude = {"default": 1.0, "min": 0.0, "max": 2.0, "step": 0.05}
        return schema(
            node_id="CyberHostHandMotion",
            display_name="EMO2 Hand Motion",
            category="CyberHost",
            description=(
                "Generates hands that follow a voice (EMO2, stage 1), as a hand track as long as the "
                "voice. A different seed gives different gestures."
            ),
            search_aliases=["emo2", "hand driver", "gesture", "co-speech gestures", "audio driven hands"],
            has_intermediate_output=True,
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Custom("CYBERHOST_AUDIO").Input(
                    "audio_features",
                    tooltip="From Wav2Vec Audio Features; made with the wav2vec2 that the model was "
                    "trained with.",
                ),
                io.Combo.Input(
                    "model",
                    options=gesture_models(),
                    tooltip="A gesture model in models/cyberhost, or the bundled one, which was trained on "
                    "drawn puppets.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Selects the gestures: the same seed gives the same hands.",
                ),
                io.Combo.Input(
                    "style",
                    options=STYLES,
                    default=STYLES[0],
                    tooltip="What the person does. The bundled model was trained on speaking only; a style "
                    "that the model never saw is named in a notice.",
                ),
                io.Float.Input(
                    "amplitude_left",
                    **amplitude,
                    tooltip="How far the left hand moves, as a factor of what is typical of the training "
                    "data.",
                ),
                io.Float.Input(
                    "amplitude_right",
                    **amplitude,
                    tooltip="How far the right hand moves, as a factor of what is typical of the training "
                    "data.",
                ),
                io.Custom("POSE_KEYPOINT").Input(
                    "reference_pose",
                    optional=True,
                    tooltip="The pose of the portrait: the hands then fit its size and arms. Without it, "
                    "hands of a typical half-body picture, 768 x 1024 pixels.",
                ),
                io.ClipVisionOutput.Input(
                    "clip_vision_output",
                    optional=True,
                    tooltip="The portrait from CLIP Vision Encode, for models that were trained with it; it "
                    "has no effect on others, such as the bundled one.",
                ),
                io.Int.Input(
                    "steps",
                    default=0,
                    min=0,
                    max=1000,
                    optional=True,
                    **RARELY_TOUCHED,
                    tooltip="Sampling steps; 0 uses the model's own number.",
                ),
                # The last widget, so that saved workflows keep their values.
                io.Combo.Input(
                    "hands",
                    options=[*HANDS],
                    default="both",
                    optional=True,
                    tooltip="Which hands are there; the other is drawn in no frame. The bundled model was "
                    "trained on both, so that it moves both and leaves one out.",
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "hand_track",
                    display_name="hand_track",
                    tooltip="One frame per row of the voice's features.",
                ),
                io.Custom("POSE_KEYPOINT").Output(
                    "pose",
                    display_name="pose",
                    tooltip="The same hands, with arms: the model's own, or else the portrait's where it is "
                    "given.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str | None = None, **_: Any) -> tuple[str | None, int, int]:
        path = None if model is None else gesture_model_path(model)
        return model, *file_state(path)

    @classmethod
    def execute(
        cls,
        *,
        audio_features: "AudioTrack",
        model: str,
        seed: int,
        style: str,
        amplitude_left: float,
        amplitude_right: float,
        reference_pose: list[dict[str, Any]] | None = None,
        clip_vision_output: Any = None,
        steps: int = 0,
        hands: str = "both",
    ) -> io.NodeOutput:
        from ..cyberhost_core.controls.pose_keypoint import keypoints_from_pose
        from .bridge.notice import notice
        from .helpers.hand_motion import MotionRequest, gestures
        from .helpers.track_player import player

        wanted = MotionRequest(
            seed=seed,
            style=style,
            amplitudes=(amplitude_left, amplitude_right),
            picture=clip_vision_output,
            steps=steps or None,
            hands=HANDS[hands],
        )
        made = gestures(audio_features, reference_pose, wanted, model=gesture_model_path(model))
        if made.notices:
            notice(cls, " ".join(made.notices))
        return io.NodeOutput(made.track, keypoints_from_pose(made.track.pose), ui=player(made.track))
