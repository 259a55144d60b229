"""Run a recipe of EMO2's stage 1: build, resume, log, hand on the averaged model as a file of its own.

out/run.safetensors        everything needed to resume
out/gestures.safetensors   the averaged model, ready to sample from
out/log.jsonl, out/tensorboard/   losses, the same as curves
"""

import json
from pathlib import Path

import torch

from ...backbone.ops import TORCH_OPS, TRAINING_OPS
from ...checkpoints.gestures import save_gestures
from ...data.gesture_store import GestureClips
from ...gesture.model import GestureModel, Learnt
from ..runs import Show, train_logged
from ..trainer import Trainer
from .batches import GestureBatchMaker, collect_statistics
from .learner import GestureLearner
from .recipes import GestureRecipe


def will_have_learnt(recipe: GestureRecipe, clips: GestureClips) -> GestureRecipe:
    """Let the model say what training by this recipe, as it is now, on these clips teaches it."""
    learnt = Learnt(styles=tuple(sorted(clips.styles())), one_hand=recipe.sampling.hide_hand > 0)
    return recipe.derive(model=recipe.model.derive(learnt=learnt))


def train_gestures(
    recipe: GestureRecipe,
    store: Path,
    out: Path,
    *,
    seed: int = 0,
    until: int | None = None,
    show: Show,
) -> Path:
    """Train or resume; return the path of the averaged model.

    Raises:   StoreError, CheckpointError: the data or the run do not fit
    """
    trainer = gesture_trainer(recipe, GestureClips(store), out=out, seed=seed)
    train_logged(trainer, until=until, show=show)
    path = out / "gestures.safetensors"
    if trainer.accelerator.is_main_process:
        save_gestures(path, trainer.ema.model, training={"data": f"{len(GestureClips(store))} clips"})
    return path


def gesture_trainer(
    recipe: GestureRecipe, clips: GestureClips, *, out: Path, seed: int = 0
) -> Trainer[GestureModel]:
    """Put a recipe together with its batches; the model starts from noise and the clips' statistics."""
    torch.manual_seed(seed)
    model = GestureModel(recipe.model, ops=TORCH_OPS if torch.cuda.is_available() else TRAINING_OPS)
    collect_statistics(clips, model)
    return Trainer(
        GestureLearner(model, recipe.loss),
        lambda rank: GestureBatchMaker(clips, model, recipe.sampling, seed=seed, rank=rank),
        recipe.loop,
        config=json.dumps({"recipe": json.loads(recipe.to_json()), "seed": seed}),
        out=out,
    )
