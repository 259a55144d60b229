"""Named runs of EMO2's stage 1: the model, its batches, its loss, the loop's settings, as values."""

from collections.abc import Callable

from ...config import Config
from ...gesture.forms import FORMS, FormName
from ...gesture.model import GestureModelConfig
from ...gesture.transformer import GestureConfig
from ...hands.parameters import OFFSET_NUMBERS
from ..loop import LoopConfig
from .batches import GestureSampling
from .learner import GestureLoss


class GestureRecipe(Config):
    """A complete run."""

    model: GestureModelConfig
    loop: LoopConfig
    sampling: GestureSampling = GestureSampling()
    loss: GestureLoss = GestureLoss()


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
