"""Run a stage of a recipe from the command line: build, resume, log, validate, hand on the averaged weights.

out/run.safetensors     everything needed to resume
out/start.json          where the first weights came from, name by name
out/recipe.yaml         the recipe with all its values, as the run began
out/model.safetensors   the averaged weights: what the next stage starts from, and 'train pack' packs; its
                        metadata hold the system, calibrated on the store (see checkpoints.trained), and what
                        is said of the data (checkpoints.provenance)
out/log.jsonl, out/tensorboard/, out/sheets/     losses, the same as curves, sampled clips
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from ..backbone.ops import TORCH_OPS, TRAINING_OPS
from ..checkpoints.accounting import Report
from ..checkpoints.parts import load_autoencoder, require_latents
from ..checkpoints.provenance import PROVENANCE, Provenance, of_data, of_weights
from ..checkpoints.starting import start_from
from ..checkpoints.trained import about_trained
from ..data.calibration import calibrate
from ..data.store import PreparedVideos, StoreError
from ..media.contact_sheet import contact_sheet
from ..media.images import save_png
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from .batches import BatchMaker
from .losses.local_enhancement import LocalEnhancement
from .losses.pose_presence import DISCRIMINATOR
from .pose_discriminator import load_pose_discriminator
from .precision import computed_precision
from .recipes.recipe import Recipe
from .recipes.writing import resolved_text
from .stage import StageConfig, TrainingModule, set_up
from .trainer import Model, Trainer, Validate
from .validation import held_out_errors, sample_clip

Show = Callable[[int, dict[str, float]], None]
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where a run reads and writes; held_out switches validation on, vae, an autoencoder, its pictures.

    start: files of weights; the first that has a weight gives it, see `start_from`. discriminator is needed
    where the recipe weighs its loss.
    """

    store: Path
    out: Path
    start: tuple[Path, ...] = ()
    discriminator: Path | None = None
    held_out: Path | None = None
    vae: Path | None = None


def train_stage(
    recipe: Recipe,
    stage: StageConfig,
    files: RunFiles,
    *,
    seed: int = 0,
    until: int | None = None,
    show: Show,
    tell: Callable[[Report], None] = lambda _report: None,
) -> Path:
    """Train or resume one stage; return the path of the averaged weights.

    tell: is told, where a run begins, where its first weights came from

    Raises:   StoreError, CheckpointError: the data or the first weights do not fit; ConfigError: prepared
              videos do not hold what the system asks
    """
    spec, _ = recipe.stage(stage.name)
    videos = PreparedVideos(files.store)
    _require_fitting(videos, spec, stage)
    torch.manual_seed(seed)
    # On a CPU the fused attention's backward pass is several times slower than two matrix products.
    model = SystemModel(spec, ops=TORCH_OPS if torch.cuda.is_available() else TRAINING_OPS)
    report = start_from(model, files.start)
    trainer = stage_trainer(
        model,
        stage,
        videos,
        out=files.out,
        seed=seed,
        networks=_networks(files),
    )
    if trainer.accelerator.is_main_process and not trainer.run_file.exists():
        files.out.mkdir(parents=True, exist_ok=True)
        (files.out / "recipe.yaml").write_text(resolved_text(recipe), encoding="utf-8")
        if files.start:
            (files.out / "start.json").write_text(json.dumps(report.as_json(), indent=1), encoding="utf-8")
            tell(report)
    return train_logged(
        trainer,
        until=until,
        show=show,
        validation=partial(_validation, files=files, spec=spec, stage=stage) if files.held_out else None,
        about=lambda: {
            **about_trained(stage.name, spec, calibrate(videos)),
            PROVENANCE: _provenance(files, videos).to_json(),
        },
    )


def _require_fitting(videos: PreparedVideos, spec: SystemSpec, stage: StageConfig) -> None:
    """Make one clip before the model is built: what a worker raised later would come with its traceback."""
    one = stage.sampling.derive(clips=1)
    batch = BatchMaker(videos, spec, one, frames=stage.frames, seed=0, losses=stage.losses)[0]
    channels = batch.latents.shape[2]
    if channels != spec.unet.latent_channels:
        raise StoreError(
            f"The latents in {videos.folder} have {channels} channels, but '{spec.name}' is trained on "
            f"{spec.unet.latent_channels}; prepare the videos with the autoencoder of this system."
        )


def stage_trainer(
    model: SystemModel,
    stage: StageConfig,
    videos: PreparedVideos,
    *,
    out: Path,
    seed: int = 0,
    networks: Mapping[str, nn.Module] | None = None,
) -> Trainer[SystemModel]:
    """Put a stage of a system together with its batches."""
    set_up(model, stage)
    config = {"stage": json.loads(stage.to_json()), "system": json.loads(model.spec.to_json()), "seed": seed}
    return Trainer(
        TrainingModule(model, stage.losses, networks=networks),
        lambda rank: BatchMaker(
            videos,
            model.spec,
            stage.sampling,
            frames=stage.frames,
            seed=seed,
            rank=rank,
            losses=stage.losses,
        ),
        stage,
        config=json.dumps(config),
        out=out,
    )


def train_logged(
    trainer: Trainer[Model],
    *,
    until: int | None = None,
    show: Show,
    validation: Callable[["RunLog"], Validate[Model]] | None = None,
    about: Callable[[], dict[str, str]] = dict,
) -> Path:
    """Train or resume whatever the trainer trains; return the path of the averaged weights.

    validation builds from the log, which keeps its pictures, what is asked from time to time. about: what
    the weights' metadata say.
    """
    trainer.out.mkdir(parents=True, exist_ok=True)
    log = RunLog(trainer.out) if trainer.accelerator.is_main_process else None

    def report(step: int, values: dict[str, float]) -> None:
        if log:  # the trainer reports from the main process alone
            log.write(step, values)
            show(step, values)

    averaged = trainer.run(
        until=until, report=report, validate=validation(log) if log and validation else None
    )
    path = trainer.out / "model.safetensors"
    if trainer.accelerator.is_main_process:
        save_file({key: value.contiguous() for key, value in averaged.state_dict().items()}, path, about())
    return path


def _provenance(files: RunFiles, videos: PreparedVideos) -> Provenance:
    """Join what is said of the data with what the files say that a run starts from."""
    said = of_data(files.store.resolve().name, data=videos.index.data, licence=videos.index.licence)
    for path in files.start:
        said = said.joined(of_weights(path))
    return said


def _networks(files: RunFiles) -> dict[str, nn.Module]:
    """Load the networks that losses may ask."""
    if files.discriminator is None:
        return {}
    return {DISCRIMINATOR: load_pose_discriminator(files.discriminator)}


class RunLog:
    """Append values to log.jsonl and, where TensorBoard is installed, to its event files."""

    def __init__(self, out: Path) -> None:
        self.path, self.out = out / "log.jsonl", out
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.board = None
        else:
            self.board = SummaryWriter(str(out / "tensorboard"))

    def write(self, step: int, values: dict[str, float]) -> None:
        """Log the values of a step."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, image_YXC: np.ndarray) -> None:
        """Keep a picture of a step."""
        folder = self.out / "sheets"
        folder.mkdir(exist_ok=True)
        save_png(folder / f"{name}-{step:06d}.png", image_YXC)
        if self.board:
            self.board.add_image(name, image_YXC, step, dataformats="HWC")


def _validation(
    log: RunLog, *, files: RunFiles, spec: SystemSpec, stage: StageConfig
) -> Validate[SystemModel]:
    """Build the validation of a run on one fixed held-out batch."""
    assert files.held_out is not None
    sampling = stage.sampling.derive(clips=8, settings=(), drop=(), drop_past=1.0, past_noise=0.0)
    videos = PreparedVideos(files.held_out)
    batch = BatchMaker(videos, spec, sampling, frames=stage.frames, seed=1, losses=(LocalEnhancement(),))[0]
    vae, precision = load_autoencoder(files.vae) if files.vae else None, computed_precision(stage)
    if files.vae and vae:
        require_latents(vae, spec, path=files.vae)

    def validate(model: SystemModel, step: int) -> dict[str, float]:
        device = next(model.parameters()).device
        there = batch.to(device)
        with torch.autocast(device.type, _AUTOCAST.get(precision), enabled=precision != "no"):
            values = held_out_errors(model, there)
        if vae is not None:
            frames = sample_clip(model, vae.to(device), there)
            log.picture(step, "clip", contact_sheet(frames, columns=len(frames), scale=1))
        return values

    return validate
