"""PAHA: one network for portrait and frames, no ReferenceNet; the values of the paper, and a tiny twin.

The portrait stands along time before the noisy frames, tokens of the whole picture and the sound enter by
cross-attention, and the last frame of a segment opens the next. What the paper adds to it is no part of the
network: weights of the loss (training.losses.parts_reweighting), guidance by classifiers (guidance.parts).

Source: PAHA section 4.1.1, 5.1, appendix B.1, B.4. Reads: docs/decisions/0009.
"""

from collections.abc import Callable

from ..backbone.motion_module import MotionModuleConfig
from ..backbone.transformer import (
    FeedForwardConfig,
    ImageTokensConfig,
    InlineAudioConfig,
    SelfAttentionConfig,
    SpatialTransformerConfig,
)
from ..backbone.unet import UNetConfig
from ..conditioners.drawn_maps import DrawnMaps
from ..conditioners.hand_clarity import HandClarity
from ..conditioners.image_tokens import ImageTokens
from ..conditioners.motion_frames import MotionFrames
from ..conditioners.reference_features import ReferenceFeatures
from ..conditioners.reference_input import ReferenceInput
from ..conditioners.region_identity import RegionIdentity
from ..conditioners.sound import Sound
from ..conditioners.stacked_frames import StackedFrames
from ..diffusion.schedule import ScheduleSpec
from ..guidance.dual import DualGuidance
from . import cyberhost
from .spec import SD_LATENT_SCALE, LongVideoSpec, SystemSpec

_FRAMES = 32
_STACKED = 2  # portrait and first frame
_CLIP_HUGE_DIM = 1024


def paper() -> SystemSpec:
    """PAHA's UniVDM on Stable Diffusion 1.5's sizes.

    Reads:    the text stacks the portrait's latents along time and figure 2 along channels: time, here; the
              other is the ablation "reference-in-channels". Classifier-free guidance is not spoken of: scales
              of 1, the full pass alone. The frame that opens a segment is the last of the one before, shown
              clean and not made again. Each frame hears 5 steps, the paper's m = 2 being CyberHost's
    Departs:  sizes and first weights are Stable Diffusion 1.5's, where the paper's first weights are of a
              video model that nobody published; so CLIP's vector of 1024 numbers is projected to 768.
              34 positions in time, where AnimateDiff v2 wrote 32: they are sinusoids, so its weights fit
    """
    block = SpatialTransformerConfig(
        layers=(SelfAttentionConfig(), ImageTokensConfig(), InlineAudioConfig(), FeedForwardConfig())
    )
    motion = MotionModuleConfig(positions=_STACKED + _FRAMES, first_position=_STACKED)
    return SystemSpec(
        name="paha",
        unet=UNetConfig(layers=(block, motion), plain_layers=(motion,)),
        conditioners=(
            ImageTokens(source="clip", vector_dim=_CLIP_HUGE_DIM, projected=True),
            Sound(),
            StackedFrames(),
        ),
        guidance=DualGuidance(reference_scale=1.0, audio_scale=1.0),
        schedule=ScheduleSpec(sampler="ddim", steps=30),
        long_video=LongVideoSpec(frames=_FRAMES, kept=_FRAMES),
        latent_scale=SD_LATENT_SCALE,
        any_size=True,
        height=512,
        width=512,
    )


def tiny() -> SystemSpec:
    """PAHA at the size of the tiny CyberHost, from whose weights it starts.

    Departs:  as the tiny CyberHost, with its guidance, schedule and clips of 12 frames; the face's vector
              stands for CLIP's, and the portrait's latents are added to every frame's, too, because features
              that meet at one place alone do not tell so small a network what a hand looks like
    """
    start = cyberhost.tiny()
    motion = tuple(layer for layer in start.unet.layers if isinstance(layer, MotionModuleConfig))
    block = SpatialTransformerConfig(
        heads=2,
        layers=(
            SelfAttentionConfig(),
            ImageTokensConfig(token_dim=96),
            InlineAudioConfig(token_dim=96),
            FeedForwardConfig(),
        ),
    )
    left = start.without(ReferenceFeatures, MotionFrames, RegionIdentity, DrawnMaps, HandClarity)
    face = ImageTokens(source="face", vector_dim=512, token_dim=96, tokens=4, projected=True)
    return left.derive(
        name="paha-tiny",
        unet=start.unet.derive(layers=(block, *motion)),
        conditioners=(face, *left.conditioners, StackedFrames()),
    )


def reference_in_channels(spec: SystemSpec) -> SystemSpec:
    """Figure 2's reading: the portrait's latents as further channels of every frame, and not along time."""
    stacked = spec.changing(StackedFrames, lambda frames: frames.derive(portrait=False))
    if spec.listed(ReferenceInput):
        return stacked
    return stacked.derive(conditioners=(ReferenceInput(), *stacked.conditioners))


SYSTEMS: dict[str, Callable[[], SystemSpec]] = {"paha": paper, "paha-tiny": tiny}

ABLATIONS: dict[str, Callable[[SystemSpec], SystemSpec]] = {"reference-in-channels": reference_in_channels}
