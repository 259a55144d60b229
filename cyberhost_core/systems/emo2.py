"""EMO2, stage 2: hands made from the voice become a video; the values of the paper, and a tiny twin.

The same backbone as CyberHost's, without region attention: hand maps and keypoint maps take the place of the
movement map, hand confidence that of hand clarity, and the reference picture comes without a skeleton.

Source: EMO2 sections 3.1, 3.4, 4.1. Reads: docs/decisions.
"""

from collections.abc import Callable

from ..backbone.map_encoder import MapEncoderConfig
from ..backbone.motion_module import MotionModuleConfig
from ..backbone.transformer import SpatialTransformerConfig
from ..backbone.unet import UNetConfig
from . import cyberhost
from .spec import SD_LATENT_SCALE, LongVideoSpec, SystemSpec

_MAP_CHANNELS = 6  # rendered hands, and arms and legs
_FRAMES, _MOTION_FRAMES = 24, 12
_SURE = (1.0, 1.0)  # "during inference, assigning higher confidence scores results in clearer hands"


def paper() -> SystemSpec:
    """EMO2's video model on Stable Diffusion 1.5's sizes, as sections 3.4 and 4.1 give it.

    Departs:  36 positions in time, for 12 + 24 frames, where AnimateDiff v2 wrote 32: they are sinusoids, so
              its weights fit as they are
    """
    motion = MotionModuleConfig(positions=_MOTION_FRAMES + _FRAMES, first_position=_MOTION_FRAMES)
    return SystemSpec(
        name="emo2",
        unet=UNetConfig(layers=(SpatialTransformerConfig(), motion), plain_layers=(motion,)),
        movement_encoder=MapEncoderConfig(channels_in=_MAP_CHANNELS),
        pose_encoder=None,
        clarity=None,
        hand_confidence=_SURE,
        map_kind="hand_maps",
        long_video=LongVideoSpec(frames=_FRAMES, motion_frames=_MOTION_FRAMES, kept=_FRAMES),
        latent_scale=SD_LATENT_SCALE,
        any_size=True,
        height=704,
        width=512,
    )


def tiny() -> SystemSpec:
    """EMO2 at the size of the tiny CyberHost, whose ReferenceNet it takes over and keeps.

    Departs:  as the tiny CyberHost; clips of 12 frames with 4 motion frames, because that is what the weights
              know that it starts from
    """
    start = cyberhost.tiny()
    layers = tuple(layer for layer in start.unet.layers if layer.kind != "region_attention")
    return start.derive(
        name="emo2-tiny",
        unet=start.unet.derive(layers=layers),
        movement_encoder=MapEncoderConfig(channels_in=_MAP_CHANNELS, patch=4, widths=(32, 64)),
        pose_encoder=None,
        clarity=None,
        hand_confidence=(0.94, 0.94),
        map_kind="hand_maps",
    )


def without_hand_confidence(spec: SystemSpec) -> SystemSpec:
    """Table 2, "w/o hand confidence"."""
    return spec.derive(hand_confidence=None)


SYSTEMS: dict[str, Callable[[], SystemSpec]] = {"emo2": paper, "emo2-tiny": tiny}

ABLATIONS: dict[str, Callable[[SystemSpec], SystemSpec]] = {"no-hand-confidence": without_hand_confidence}
