"""A hand driver: a track that was saved before, another program's hands, or the bundled example."""

from typing import Any

from .bridge.api import RARELY_TOUCHED, io, schema
from .bridge.hand_conventions import HANDEDNESS_ANSWERS, NOT_TOLD, conventions, hand_mean_path, hand_means
from .bridge.hand_track_files import hand_track_names, hand_track_path
from .bridge.models import file_state
from .helpers.rate import HIGHEST_FPS


class HandTrackFromFile(io.ComfyNode):
    """Read a hand track."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostHandTrackFromFile",
            display_name="Hand Track from File",
            category="CyberHost",
            description="Reads a hand track that Save Hand Track wrote, hands of other programs (SMPL-X, "
            "MANO, MediaPipe), or the bundled example.",
            search_aliases=[
                "hand driver",
                "gesture",
                "hand motion",
                "import hands",
                "smpl-x",
                "beat2",
                "mano",
                "mediapipe",
            ],
            has_intermediate_output=True,
            inputs=[
                io.Combo.Input(
                    "file",
                    options=hand_track_names(),
                    tooltip="The bundled puppet, or a .json, .safetensors or .npz file in the input folder "
                    "or in output/cyberhost.",
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=HIGHEST_FPS,
                    step=0.01,
                    optional=True,
                    **RARELY_TOUCHED,
                    tooltip="Other programs' files: the frame rate they were made for, in frames per second; "
                    "0 takes the one in the file.",
                ),
                io.Combo.Input(
                    "hand_mean",
                    options=hand_means(),
                    default=NOT_TOLD,
                    optional=True,
                    **RARELY_TOUCHED,
                    tooltip="SMPL-X and MANO: whether the finger turns include the hands' mean pose; if not "
                    "(BEAT2), the SMPL-X model (.npz) in models/cyberhost that holds it.",
                ),
                io.Combo.Input(
                    "handedness",
                    options=HANDEDNESS_ANSWERS,
                    default=NOT_TOLD,
                    optional=True,
                    **RARELY_TOUCHED,
                    tooltip="MANO and MediaPipe: left is the person's own, or as in a mirror (HaMeR's left "
                    "hands, labels of a mirrored picture).",
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "hand_track", display_name="hand_track", tooltip="For Align Hands."
                ),
                io.Custom("POSE_KEYPOINT").Output(
                    "pose", display_name="pose", tooltip="The same hands and body, one pose per frame."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        if file is None or hand_track_path(file).is_file():  # None: the name comes over a wire
            return True
        return (
            f"There is no hand track '{file}'; put the file into ComfyUI's input folder, or choose another."
        )

    @classmethod
    def fingerprint_inputs(cls, file: str, hand_mean: str | None = None, **_: Any) -> list[object]:
        paths = (hand_track_path(file), hand_mean_path(hand_mean or NOT_TOLD))
        return [file, *(file_state(path) for path in paths)]

    @classmethod
    def execute(
        cls, *, file: str, fps: float = 0.0, hand_mean: str = NOT_TOLD, handedness: str = NOT_TOLD
    ) -> io.NodeOutput:
        from ..cyberhost_core.controls.pose_keypoint import keypoints_from_pose
        from ..cyberhost_core.hands.track import load_hand_track
        from .helpers.track_player import player

        track = load_hand_track(hand_track_path(file), conventions(fps, hand_mean, handedness))
        return io.NodeOutput(track, keypoints_from_pose(track.pose), ui=player(track))
