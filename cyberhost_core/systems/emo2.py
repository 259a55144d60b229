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
from ..conditioners.drawn_maps import DrawnMaps
from ..conditioners.hand_clarity import HandClarity
from ..conditioners.hand_confidence import HandConfidence
from ..conditioners.motion_frames import MotionFrames
from ..conditioners.reference_features import ReferenceFeatures
from ..conditioners.region_identity import RegionIdentity
from ..conditioners.sound import Sound
from ..diffusion.schedule import ScheduleSpec
from ..guidance.dual import DualGuidance
from . import cyberhost
from .spec import SD_LATENT_SCALE, LongVideoSpec, SystemSpec

_MAP_CHANNELS = 6  # rendered hands, and arms and legs
_FRAMES, _MOTION_FRAMES = 24, 12


def paper() -> SystemSpec:
    """EMO2's video model on Stable Diffusion 1.5's sizes, as sections 3.4 and 4.1 give it.

    Reads:    the paper gives neither guidance nor steps: both scales and 25 steps of DDIM are CyberHost's
              (appendix E), whose formula and noise schedule this backbone shares
    Departs:  36 positions in time, for 12 + 24 frames, where AnimateDiff v2 wrote 32: they are sinusoids, so
              its weights fit as they are
    """
    motion = MotionModuleConfig(positions=_MOTION_FRAMES + _FRAMES, first_position=_MOTION_FRAMES)
    return SystemSpec(
        name="emo2",
        unet=UNetConfig(layers=(SpatialTransformerConfig(), motion), plain_layers=(motion,)),
        conditioners=(
            ReferenceFeatures(),
            MotionFrames(frames=_MOTION_FRAMES),
            DrawnMaps(encoder=MapEncoderConfig(channels_in=_MAP_CHANNELS), drawing="hand_maps"),
            Sound(),
            HandConfidence(),
        ),
        guidance=DualGuidance(reference_scale=2.5, audio_scale=4.5),
        schedule=ScheduleSpec(sampler="ddim", steps=25),
        long_video=LongVideoSpec(frames=_FRAMES, kept=_FRAMES),
        latent_scale=SD_LATENT_SCALE,
        any_size=True,
        height=704,
        width=512,
    )


def tiny() -> SystemSpec:
    """EMO2 at the size of the tiny CyberHost, whose ReferenceNet it takes over and keeps.

    Reads:    guidance of 1.5 and 2.0 and 20 steps are the tiny CyberHost's, too
    Departs:  as the tiny CyberHost; clips of 12 frames with 4 motion frames, because that is what the weights
              know that it starts from
    """
    start = cyberhost.tiny()
    layers = tuple(layer for layer in start.unet.layers if layer.kind != "region_attention")
    encoder = MapEncoderConfig(channels_in=_MAP_CHANNELS, patch=4, widths=(32, 64))
    known = (
        start.derive(name="emo2-tiny", unet=start.unet.derive(layers=layers))
        .without(RegionIdentity, HandClarity)
        .changing(ReferenceFeatures, lambda features: features.derive(skeleton=None))
        .changing(DrawnMaps, lambda maps: maps.derive(encoder=encoder, drawing="hand_maps"))
    )
    return known.derive(conditioners=(*known.conditioners, HandConfidence(high=(0.94, 0.94))))


def without_hand_confidence(spec: SystemSpec) -> SystemSpec:
    """Table 2, "w/o hand confidence"."""
    return spec.without(HandConfidence)


SYSTEMS: dict[str, Callable[[], SystemSpec]] = {"emo2": paper, "emo2-tiny": tiny}

ABLATIONS: dict[str, Callable[[SystemSpec], SystemSpec]] = {"no-hand-confidence": without_hand_confidence}
