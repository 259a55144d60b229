"""Join hands, sound and reference into the three conditionings of a checkpoint that is driven by hands."""

from typing import TYPE_CHECKING

from .bridge.api import io, schema

if TYPE_CHECKING:
    from .helpers.types import AudioTrack, HandMaps, Parts, ReferenceBank


class EMO2Conditions(io.ComfyNode):
    """Make positive, reference-only and negative conditioning of EMO2's second stage."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostEMO2Conditions",
            display_name="EMO2 Conditions",
            category="CyberHost",
            description=(
                "Combines everything that drives EMO2's video model into three conditionings: with "
                "reference and sound, with the reference only, and with neither. Hands stay in all three. "
                "An input that the checkpoint does not use is ignored, with a notice."
            ),
            search_aliases=["emo2", "hands", "conditioning", "guidance"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Custom("CYBERHOST_PARTS").Input("parts", tooltip="From Load CyberHost."),
                io.Custom("CYBERHOST_REFERENCE").Input("reference", tooltip="From ReferenceNet."),
                io.Custom("CYBERHOST_AUDIO").Input(
                    "audio_features",
                    tooltip="From Wav2Vec Audio Features; its length is the video's length.",
                ),
                io.Custom("CYBERHOST_HAND_MAPS").Input(
                    "hand_maps",
                    tooltip="From Render Hand Maps, at the size of the portrait; any hand driver will do.",
                ),
                io.Float.Input(
                    "hand_confidence",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "How confident a detector would be about the hands, as a fraction of the "
                        "checkpoint's calibrated high value; the paper asks for high values (1), which "
                        "make hands clear."
                    ),
                ),
            ],
            outputs=[
                io.Conditioning.Output("positive", display_name="positive", tooltip="Reference and sound."),
                io.Conditioning.Output(
                    "reference_only", display_name="reference only", tooltip="Reference without sound."
                ),
                io.Conditioning.Output("negative", display_name="negative", tooltip="Neither."),
                io.Latent.Output(
                    "latent", display_name="latent", tooltip="Empty, all frames; for native samplers."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        *,
        parts: "Parts",
        reference: "ReferenceBank",
        audio_features: "AudioTrack",
        hand_maps: "HandMaps",
        hand_confidence: float,
    ) -> io.NodeOutput:
        import torch

        from ..cyberhost_core.conditioners.asks import CONFIDENCE, MAP, SOUND
        from ..cyberhost_core.errors import ConfigError
        from .bridge.notice import notice_unused
        from .bridge.passes import make_passes

        if hand_maps.fps != audio_features.fps:
            raise ConfigError(
                f"The hand maps are of {hand_maps.fps:g} frames per second, but the speech features of "
                f"{audio_features.fps:g}; wire fps of Wav2Vec Audio Features into Render Hand Maps."
            )
        wires = {
            SOUND: audio_features.heard,
            MAP: torch.cat([hand_maps.hand_maps_FCYX, hand_maps.keypoint_maps_FCYX], dim=1),
        }
        told = {**wires, CONFIDENCE: hand_confidence * (hand_maps.confidence_FH.numpy() > 0)}
        conditionings, latent, unused = make_passes(parts, reference, told, connected=wires)
        notice_unused(cls, unused, system=parts.spec.name)
        return io.NodeOutput(*conditionings, latent)
