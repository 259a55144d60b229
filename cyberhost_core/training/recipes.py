"""Named, complete training runs: the system, its stages and their settings, as values.

The paper's recipe (section 4.1) is the default of StageConfig; the tiny recipe differs where two CPU cores
and cartoons ask for it, and says why.
"""

from collections.abc import Callable

from ..conditioners.drawn_maps import MapTraining
from ..conditioners.values import REFERENCE, SOUND
from ..config import Config
from ..systems import cyberhost, emo2
from ..systems.spec import SystemSpec
from .batches import Drop, SamplingConfig
from .first_stages import basic_modules, still_pictures
from .losses.denoising import Denoising
from .losses.local_enhancement import LocalEnhancement
from .losses.pose_presence import PosePresence
from .losses.region_masks import RegionMasks
from .stage import StageConfig

_TINY_DROPS = (Drop(groups=(REFERENCE, SOUND), share=0.06), Drop(groups=(SOUND,), share=0.1))


class Recipe(Config):
    """A system, the part of it that stage 1 trains, and the two stages."""

    system: SystemSpec
    image_system: SystemSpec
    image: StageConfig
    video: StageConfig


def paper_recipe() -> Recipe:
    """Section 4.1, appendix E: stage 1 on pairs, 12 per device; stage 2 one clip per device; 4 days each."""
    return Recipe(
        system=cyberhost.paper(),
        image_system=basic_modules(cyberhost.paper()),
        image=StageConfig(name="image", frames=1, steps=100_000, sampling=SamplingConfig(clips=12)),
        video=StageConfig(name="video", frames=12, steps=100_000, sampling=SamplingConfig(clips=1)),
    )


def tiny_recipe() -> Recipe:
    """The bundled model's recipe.

    Departs:  a higher learning rate (the model starts from noise, not from Stable Diffusion); local
              enhancement on every clip and at every t, because at this size the mouth is three latent cells;
              all three map kinds mixed, so that one model serves talking body, multimodal and reenactment;
              noise on the motion frames against drift; stage 1 trains sound and regions as well, because
              single frames show many more people per second of training than clips do; high noise is drawn
              more often, because at low noise nothing is left to be learned
    """
    enhanced = LocalEnhancement(alpha=2.0, probability=1.0, below=1000, heatmap_weight=0.5)
    shared = {
        "losses": (enhanced, RegionMasks()),
        "betas": (0.9, 0.98),
        "ema_decay": 0.995,
        "save_every": 100,
        "validate_every": 200,
    }
    return Recipe(
        system=cyberhost.tiny(),
        image_system=still_pictures(cyberhost.tiny()),
        image=StageConfig(
            name="image",
            frames=1,
            steps=2000,
            learning_rate=1e-3,
            sampling=SamplingConfig(
                clips=24,
                settings=(MapTraining(movement_mix=(0.4, 0.25, 0.35)),),
                drop=_TINY_DROPS,
                timestep_power=0.6,
            ),
            **shared,
        ),
        video=StageConfig(
            name="video",
            frames=12,
            steps=4000,
            learning_rate=8e-4,
            decay_fraction=0.5,
            sampling=SamplingConfig(
                clips=4,
                settings=(MapTraining(movement_mix=(0.5, 0.25, 0.25)),),
                drop=_TINY_DROPS,
                drop_past=0.15,
                past_noise=0.2,
                timestep_power=0.6,
            ),
            **shared,
        ),
    )


def emo2_paper_recipe() -> Recipe:
    """EMO2 section 4.1: pairs, 32 over 4 devices; then clips of 24, 4 over 4 devices, ReferenceNet frozen."""
    return Recipe(
        system=emo2.paper(),
        image_system=basic_modules(emo2.paper()),
        image=StageConfig(
            name="image",
            frames=1,
            steps=100_000,
            sampling=SamplingConfig(clips=8),
            losses=(Denoising(),),
        ),
        video=StageConfig(
            name="video",
            frames=24,
            steps=100_000,
            sampling=SamplingConfig(clips=1),
            frozen=("reference_net",),
            losses=(Denoising(), PosePresence()),
        ),
    )


def emo2_tiny_recipe() -> Recipe:
    """The bundled EMO2 video model's recipe: its video stage goes on from the tiny CyberHost's weights.

    Departs:  as the tiny recipe; no image stage of its own is needed, because the tiny CyberHost's
              ReferenceNet knows puppets already and stays as it is; hands and mouth weigh more in the loss,
              as there; keypoint maps are left out of four clips in ten, so that hands can drive alone
    """
    video = tiny_recipe().video
    sampling = video.sampling.derive(settings=(MapTraining(drop_keypoints=0.4),))
    return Recipe(
        system=emo2.tiny(),
        image_system=still_pictures(emo2.tiny()),
        image=tiny_recipe().image.derive(sampling=sampling.derive(clips=24)),
        video=video.derive(
            sampling=sampling,
            frozen=("reference_net",),
            losses=(*video.losses, PosePresence(weight=0.1)),
        ),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "cyberhost": paper_recipe,
    "tiny": tiny_recipe,
    "emo2": emo2_paper_recipe,
    "emo2-tiny": emo2_tiny_recipe,
}
