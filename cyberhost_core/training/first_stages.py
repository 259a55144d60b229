"""What stage 1, which sees pairs of frames, trains of a system."""

from collections.abc import Callable

from ..conditioners.hand_clarity import HandClarity
from ..conditioners.motion_frames import MotionFrames
from ..conditioners.region_identity import RegionIdentity
from ..conditioners.sound import Sound
from ..systems.spec import SystemSpec


def basic_modules(spec: SystemSpec) -> SystemSpec:
    """Keep the reference, its skeleton, the maps, and the spatial modules of the denoiser.

    Source:   CyberHost section 4.1: "we train the reference net, pose encoder, and basic modules within the
              denoising U-Net"
    """
    transformers = tuple(
        layer.derive(layers=tuple(part for part in layer.layers if part.kind != "inline_audio"))
        for layer in spec.unet.layers
        if layer.kind == "spatial_transformer"
    )
    kept = spec.without(MotionFrames, RegionIdentity, Sound, HandClarity)
    return kept.derive(unet=spec.unet.derive(layers=transformers, plain_layers=()))


def still_pictures(spec: SystemSpec) -> SystemSpec:
    """Keep all but time: a stage 1 that learns regions and sound from single frames, too."""
    return spec.without(MotionFrames).derive(unet=spec.unet.without("motion_module"))


FIRST_STAGES: dict[str, Callable[[SystemSpec], SystemSpec]] = {
    "basic_modules": basic_modules,
    "still_pictures": still_pictures,
}
