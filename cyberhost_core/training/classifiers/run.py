"""Run a recipe of classifiers: build, resume, log, hand on the averaged ones as a file of their own.

out/run.safetensors           everything needed to resume
out/classifiers.safetensors   both averaged classifiers
out/log.jsonl, out/tensorboard/   losses, the same as curves; held-out accuracy
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from ...backbone.ops import TORCH_OPS, TRAINING_OPS
from ...backbone.part_classifier import PartClassifiers
from ...checkpoints.classifiers import save_classifiers
from ...checkpoints.file import open_checkpoint, system_model
from ...data.generated import GeneratedClips
from ...data.store import PreparedVideos
from ...diffusion.schedule import NoiseSchedule
from ...errors import ConfigError
from ...systems.model import SystemModel
from ..runs import Show, train_logged
from ..trainer import Trainer, Validate
from .accuracy import classifier_accuracy
from .batches import PairMaker
from .learner import ClassifierLearner, conditions_of
from .recipes import ClassifierRecipe

VALIDATED_CLIPS = 16


@dataclass(frozen=True, kw_only=True)
class ClassifierFiles:
    """Where a run reads and writes; the held-out ones, both or none, switch validation on."""

    checkpoint: Path
    store: Path
    generated: Path
    out: Path
    held_out: Path | None = None
    held_out_generated: Path | None = None


def train_classifiers(
    recipe: ClassifierRecipe,
    files: ClassifierFiles,
    *,
    seed: int = 0,
    until: int | None = None,
    show: Show,
) -> Path:
    """Train or resume both classifiers; return the path of the averaged ones.

    Their encoders start from the checkpoint's denoiser, or are it; its conditioners read portrait and sound.

    Raises:   StoreError, CheckpointError: data, weights or the run do not fit; ConfigError: the system hears
              nothing
    """
    stored = open_checkpoint(files.checkpoint)
    model = system_model(stored, dtype=torch.float32)
    videos, generated = PreparedVideos(files.store), GeneratedClips(files.generated)

    def pairs(rank: int) -> PairMaker:
        return PairMaker(videos, generated, model.spec, recipe.sampling, seed=seed, rank=rank)

    torch.manual_seed(seed)
    classifiers = _started(recipe, model, sound=_numbers_of_sound(model, pairs(0)))
    schedule = NoiseSchedule(model.spec.schedule)
    trainer = Trainer(
        ClassifierLearner(classifiers, model, schedule, masked=recipe.sampling.masked),
        pairs,
        recipe.loop,
        config=json.dumps({"recipe": json.loads(recipe.to_json()), "system": model.spec.name, "seed": seed}),
        out=files.out,
    )
    frames = max(recipe.sampling.lengths)
    is_validated = files.held_out is not None and files.held_out_generated is not None
    validation = (lambda _log: _validation(files, model, frames=frames)) if is_validated else None
    train_logged(trainer, until=until, show=show, validation=validation)
    path = files.out / "classifiers.safetensors"
    if trainer.accelerator.is_main_process:
        said = {"data": f"{len(generated.index.clips)} pairs", "steps": recipe.loop.steps}
        save_classifiers(path, trainer.ema.model, system=model.spec.name, training=said)
    return path


def _numbers_of_sound(model: SystemModel, pairs: PairMaker) -> int:
    told = conditions_of(model, pairs[0])
    if told.audio_NWD.ndim < 3:
        raise ConfigError(
            f"'{model.spec.name}' hears nothing, so there is nothing that its pictures could fit; "
            "classifiers are for systems that follow a voice."
        )
    return told.audio_NWD[0].numel()


def _started(recipe: ClassifierRecipe, model: SystemModel, *, sound: int) -> PartClassifiers:
    """Build classifiers; their own encoders, where they have some, start as the denoiser's."""
    ops = TORCH_OPS if torch.cuda.is_available() else TRAINING_OPS
    classifiers = PartClassifiers(recipe.classifier.of(model.spec, sound=sound), ops=ops)
    for classifier in (classifiers.face, classifiers.non_face):
        if recipe.classifier.encoder == "denoiser":
            continue
        own = classifier.encoder.state_dict()
        given = model.denoiser.state_dict()
        classifier.encoder.load_state_dict({name: given[name] for name in own})
    return classifiers


def _validation(files: ClassifierFiles, model: SystemModel, *, frames: int) -> Validate[PartClassifiers]:
    assert files.held_out and files.held_out_generated
    videos, generated = PreparedVideos(files.held_out), GeneratedClips(files.held_out_generated)

    def validate(classifiers: PartClassifiers, _step: int) -> dict[str, float]:
        found = classifier_accuracy(
            classifiers, model, videos, generated, frames=frames, clips=VALIDATED_CLIPS, timesteps=(300,)
        )
        return {f"{one.part}, {one.against}": one.ordered for one in found}

    return validate
