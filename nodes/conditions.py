"""Join what drives the video into the three conditionings of dual guidance."""

from typing import TYPE_CHECKING

from .bridge.api import RARELY_TOUCHED, io, schema

if TYPE_CHECKING:
    from torch import Tensor

    from .helpers.types import AudioTrack, Clarity, Parts, ReferenceBank


class Conditions(io.ComfyNode):
    """Make positive, reference-only and negative conditioning for the whole length."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostConditions",
            display_name="CyberHost Conditions",
            category="CyberHost",
            description=(
                "Combines everything that drives the video into three conditionings: with reference and "
                "sound, with the reference only, and with neither. With CyberHost, the map stays in all "
                "three. If an input that the checkpoint needs is missing, the error names it; an input "
                "that it does not use is ignored, with a notice."
            ),
            search_aliases=["conditioning", "guidance"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Custom("CYBERHOST_PARTS").Input("parts", tooltip="From Load CyberHost."),
                io.Custom("CYBERHOST_REFERENCE").Input("reference", tooltip="From ReferenceNet."),
                io.Custom("CYBERHOST_AUDIO").Input(
                    "audio_features",
                    optional=True,
                    tooltip=(
                        "From Wav2Vec Audio Features; its length is the video's length. AnimateAnyone "
                        "needs none: its maps set the length."
                    ),
                ),
                io.Image.Input(
                    "map",
                    optional=True,
                    tooltip=(
                        "One map for the whole video (movement box, Hallo's face box), or one per frame: "
                        "skeletons, hands drawn on the movement map, EchoMimicV2's hands. Painted maps "
                        "also work."
                    ),
                ),
                io.Float.Input(
                    "hand_clarity",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "How sharp the hands should be, as a fraction of the checkpoint's calibrated "
                        "range, 0 to 1; the paper asks for high values (1)."
                    ),
                ),
                io.Custom("CYBERHOST_CLARITY").Input(
                    "clarity",
                    optional=True,
                    tooltip="Scores measured on a driving clip; their mean replaces the slider.",
                ),
                *(
                    io.Float.Input(
                        f"{name}_weight",
                        default=1.0,
                        min=0.0,
                        max=4.0,
                        step=0.05,
                        optional=True,
                        **RARELY_TOUCHED,
                        tooltip=f"How much {what} with the sound, as a factor; only Hallo uses it.",
                    )
                    for name, what in (
                        ("pose", "head and body move"),
                        ("face", "the face moves"),
                        ("lip", "the mouth moves"),
                    )
                ),
            ],
            outputs=[
                io.Conditioning.Output("positive", display_name="positive", tooltip="Reference and sound."),
                io.Conditioning.Output(
                    "reference_only", display_name="reference only", tooltip="Reference without sound."
                ),
                io.Conditioning.Output("negative", display_name="negative", tooltip="Neither."),
                io.Latent.Output(
                    "latent",
                    display_name="latent",
                    tooltip="Empty, all frames; for native samplers.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        *,
        parts: "Parts",
        reference: "ReferenceBank",
        hand_clarity: float,
        audio_features: "AudioTrack | None" = None,
        map: "Tensor | None" = None,
        clarity: "Clarity | None" = None,
        pose_weight: float = 1.0,
        face_weight: float = 1.0,
        lip_weight: float = 1.0,
    ) -> io.NodeOutput:
        from ..cyberhost_core.conditioners.asks import CLARITY, MAP, REGION_WEIGHTS, SOUND
        from .bridge.notice import notice_unused
        from .bridge.passes import make_passes

        wires = {}
        if audio_features is not None:
            wires[SOUND] = audio_features.heard
        if map is not None:
            wires[MAP] = map[..., :3].permute(0, 3, 1, 2).contiguous()
        if clarity is not None:
            wires[CLARITY] = clarity.scores_F4.mean(dim=0)
        widgets = {CLARITY: hand_clarity, REGION_WEIGHTS: (pose_weight, face_weight, lip_weight)}
        conditionings, latent, unused = make_passes(parts, reference, widgets | wires, connected=wires)
        notice_unused(cls, unused, system=parts.spec.name)
        return io.NodeOutput(*conditionings, latent)
