"""Named, complete training runs: the system, its stages and their settings, as values.

The paper's recipe (section 4.1) is the default of StageConfig; the tiny recipe differs where two CPU cores
and cartoons ask for it, and says why.
"""

from collections.abc import Callable

from ..config import Config
from ..systems import cyberhost, emo2
from ..systems.spec import SystemSpec
from .batches import SamplingConfig
from .losses import LossConfig
from .maps import MapConfig
from .stage import StageConfig, image_stage_spec, still_picture_spec


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
        image_system=image_stage_spec(cyberhost.paper()),
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
    loss = LossConfig(alpha=2.0, enhance_probability=1.0, enhance_below=1000, heatmap_weight=0.5)
    shared = {
        "loss": loss,
        "betas": (0.9, 0.98),
        "ema_decay": 0.995,
        "save_every": 100,
        "validate_every": 200,
    }
    return Recipe(
        system=cyberhost.tiny(),
        image_system=still_picture_spec(cyberhost.tiny()),
        image=StageConfig(
            name="image",
            frames=1,
            steps=2000,
            learning_rate=1e-3,
            sampling=SamplingConfig(
                clips=24,
                maps=MapConfig(movement_mix=(0.4, 0.25, 0.35)),
                drop_reference=0.06,
                drop_audio=0.1,
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
                maps=MapConfig(movement_mix=(0.5, 0.25, 0.25)),
                drop_reference=0.06,
                drop_audio=0.1,
                drop_motion=0.15,
                motion_noise=0.2,
                timestep_power=0.6,
            ),
            **shared,
        ),
    )


def emo2_paper_recipe() -> Recipe:
    """EMO2 section 4.1: pairs, 32 over 4 devices; then clips of 24, 4 over 4 devices, ReferenceNet frozen."""
    plain = LossConfig(alpha=0.0, enhance_probability=0.0)
    return Recipe(
        system=emo2.paper(),
        image_system=image_stage_spec(emo2.paper()),
        image=StageConfig(
            name="image", frames=1, steps=100_000, sampling=SamplingConfig(clips=8), loss=plain
        ),
        video=StageConfig(
            name="video",
            frames=24,
            steps=100_000,
            sampling=SamplingConfig(clips=1),
            frozen=("reference_net",),
            loss=plain.derive(pose_weight=1.0),
        ),
    )


def emo2_tiny_recipe() -> Recipe:
    """The bundled EMO2 video model's recipe: its video stage goes on from the tiny CyberHost's weights.

    Departs:  as the tiny recipe; no image stage of its own is needed, because the tiny CyberHost's
              ReferenceNet knows puppets already and stays as it is; hands and mouth weigh more in the loss,
              as there; keypoint maps are left out of four clips in ten, so that hands can drive alone
    """
    video = tiny_recipe().video
    sampling = video.sampling.derive(maps=MapConfig(drop_keypoints=0.4))
    return Recipe(
        system=emo2.tiny(),
        image_system=still_picture_spec(emo2.tiny()),
        image=tiny_recipe().image.derive(sampling=sampling.derive(clips=24)),
        video=video.derive(
            sampling=sampling, frozen=("reference_net",), loss=video.loss.derive(pose_weight=0.1)
        ),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "cyberhost": paper_recipe,
    "tiny": tiny_recipe,
    "emo2": emo2_paper_recipe,
    "emo2-tiny": emo2_tiny_recipe,
}
