"""Named runs of EMO2's stage 1: the model, its batches, its loss, the loop's settings, as values."""

from collections.abc import Callable
from typing import Literal

from ...config import Config
from ...diffusion.schedule import ScheduleSpec
from ...errors import ConfigError
from ...gesture.forms import FORMS, FormName
from ...gesture.model import GestureModelConfig
from ...gesture.transformer import GestureConfig
from ...hands.parameters import OFFSET_NUMBERS
from ..loop import LoopConfig
from .batches import GestureSampling
from .learner import GestureLoss

Prediction = Literal["sample", "epsilon"]

_STAGE_2_SCHEDULE = ScheduleSpec(prediction="epsilon", beta_schedule="scaled_linear", steps=25)
_EQUATION_1 = GestureLoss(leading_weight=1.0, velocity_weight=0.0)


class GestureRecipe(Config):
    """A complete run."""

    model: GestureModelConfig
    loop: LoopConfig
    sampling: GestureSampling = GestureSampling()
    loss: GestureLoss = GestureLoss()


def predicting(recipe: GestureRecipe, prediction: Prediction) -> GestureRecipe:
    """Let a recipe's network predict the clean motion, which is every recipe's own choice, or the noise.

    Source:   EMO2 section 3.2, equation 1, for the noise: no weights, no velocity
    Reads:    the paper gives no schedule and no steps for stage 1; the equation is of both stages, and so are
              these, stage 2's. The last step of the cosine schedule is noise alone, from which a predicted
              noise would tell nothing of the motion
    Raises:   ConfigError: the network is narrower than the noise of a frame, all of whose numbers are free
    """
    if prediction == recipe.model.schedule.prediction:
        return recipe
    sizes = recipe.model.transformer
    if sizes.width < sizes.vector:
        raise ConfigError(
            f"The noise is to be predicted, but a width of {sizes.width} cannot hold the noise of "
            f"{sizes.vector} numbers a frame; take '--recipe emo2', or predict the motion (sample)."
        )
    return recipe.derive(model=recipe.model.derive(schedule=_STAGE_2_SCHEDULE), loss=_EQUATION_1)


def paper_gestures(*, audio_dim: int, form: FormName) -> GestureRecipe:
    """Section 4.1: 24 blocks of width 512, sequences of 300 frames with 12 before; 8 at once, 400k steps.

    Reads:    the learning rate is not given; 1e-4 is usual for diffusion transformers (Peebles and Xie 2022)
    """
    transformer = GestureConfig(
        vector=FORMS[form].numbers, audio_dim=audio_dim, offset_dim=OFFSET_NUMBERS, heads=8
    )
    return GestureRecipe(
        model=GestureModelConfig(transformer=transformer, form=form),
        loop=LoopConfig(steps=400_000, learning_rate=1e-4, warmup_steps=1000),
        sampling=GestureSampling(spans=8),
    )


def tiny_gestures(*, audio_dim: int, form: FormName) -> GestureRecipe:
    """The bundled model's run: less than an hour on one core.

    Departs:  six blocks of width 128; sequences of 120 frames, so that more voices fit into an hour
    """
    transformer = GestureConfig(
        vector=FORMS[form].numbers,
        width=128,
        blocks=6,
        heads=4,
        frames=120,
        audio_dim=audio_dim,
        offset_dim=OFFSET_NUMBERS,
    )
    return GestureRecipe(
        model=GestureModelConfig(transformer=transformer, form=form),
        loop=LoopConfig(
            steps=3600,
            learning_rate=1e-3,
            warmup_steps=200,
            decay_fraction=0.5,
            betas=(0.9, 0.98),
            ema_decay=0.998,
            save_every=250,
            validate_every=500,
        ),
    )


GESTURE_RECIPES: dict[str, Callable[..., GestureRecipe]] = {"tiny": tiny_gestures, "emo2": paper_gestures}
