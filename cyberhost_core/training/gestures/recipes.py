"""Recipes of EMO2's stage 1: YAML files, as those of the other stages, over what the clips and a command say.

what is known without a file: numbers per frame of sound and motion, what the network predicts
    --> under the file --> under the changes of a command --> GestureRecipe
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ...config import Config
from ...diffusion.schedule import ScheduleSpec
from ...errors import ConfigError
from ...gesture.forms import FORMS, FormName
from ...gesture.model import GestureModelConfig
from ...hands.parameters import OFFSET_NUMBERS
from ..loop import LoopConfig
from ..recipes.entries import Entries, merged, read_change, read_entries, recipe_file, with_changes
from ..recipes.faults import Fault, checked
from ..recipes.reading import origin
from .batches import GestureSampling
from .learner import GestureLoss

Prediction = Literal["sample", "epsilon"]

SHIPPED = Path(__file__).with_name("shipped")
_STAGE_2_SCHEDULE = ScheduleSpec(prediction="epsilon", beta_schedule="scaled_linear", steps=25)
_EQUATION_1 = GestureLoss(leading_weight=1.0, velocity_weight=0.0)


class GestureRecipe(Config):
    """A complete run: the model, the loop's settings, its batches, its loss."""

    model: GestureModelConfig
    loop: LoopConfig
    sampling: GestureSampling = GestureSampling()
    loss: GestureLoss = GestureLoss()


def read_gesture_recipe(
    source: str,
    changes: Sequence[str] = (),
    *,
    audio_dim: int,
    form: FormName,
    prediction: Prediction = "sample",
    fps: float = 25.0,
) -> GestureRecipe:
    """Read a recipe: a name of one that comes with the package, or the path of a file.

    changes: FIELD=VALUE, as for --set; audio_dim: numbers per frame of the sound; prediction: of the clean
    motion, or of the noise

    Units:    fps: of the clips
    Raises:   ConfigError: there is none, or something in it cannot be used; the sentence says what
    """
    path, asked = recipe_file(source, shipped=SHIPPED), [read_change(change) for change in changes]
    known = _known(audio_dim=audio_dim, form=form, prediction=prediction, fps=fps)
    try:
        entries = read_entries(path, completed=lambda own: own, shipped=SHIPPED)
        recipe = checked(GestureRecipe, with_changes(merged(known, entries), asked))
    except Fault as fault:
        raise ConfigError(f"{origin(fault, path, asked)} cannot be used: {fault}.") from fault
    _require_width(recipe)
    return recipe


def _known(*, audio_dim: int, form: FormName, prediction: Prediction, fps: float) -> Entries:
    """Write what a recipe need not say.

    Source:   EMO2 section 3.2, equation 1, for predicted noise: no weights, no velocity
    Reads:    the paper gives no schedule and no steps for stage 1; the equation is of both stages, and so are
              these, stage 2's. The last step of the cosine schedule is noise alone, from which a predicted
              noise would tell nothing of the motion
    """
    transformer = {"vector": FORMS[form].numbers, "audio_dim": audio_dim, "offset_dim": OFFSET_NUMBERS}
    model = {"transformer": transformer, "form": form, "fps": fps}
    if prediction == "sample":
        return {"model": model}
    schedule, loss = (json.loads(value.to_json()) for value in (_STAGE_2_SCHEDULE, _EQUATION_1))
    return {"model": {**model, "schedule": schedule}, "loss": loss}


def _require_width(recipe: GestureRecipe) -> None:
    """Refuse a network that is narrower than the noise of a frame, all of whose numbers are free."""
    sizes = recipe.model.transformer
    if recipe.model.schedule.prediction == "epsilon" and sizes.width < sizes.vector:
        raise ConfigError(
            f"The noise is to be predicted, but a width of {sizes.width} cannot hold the noise of "
            f"{sizes.vector} numbers a frame; take '--recipe emo2', or predict the motion (sample)."
        )
