"""Run a stage of a recipe from the command line: build, resume, log, validate, hand on the averaged weights.

out/run.safetensors     everything needed to resume
out/model.safetensors   the averaged weights: what the next stage starts from, and 'train pack' packs; its
                        metadata hold the system, calibrated on the store (see checkpoints.trained)
out/recipe.yaml         the recipe with all its values, as the run began
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
from ..backbone.vae import TinyVAE
from ..checkpoints.parts import load_weights
from ..checkpoints.trained import about_trained
from ..data.calibration import calibrate
from ..data.store import PreparedVideos, StoreError
from ..errors import CheckpointError
from ..media.contact_sheet import contact_sheet
from ..media.images import save_png
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from .batches import BatchMaker
from .losses.local_enhancement import LocalEnhancement
from .losses.pose_presence import DISCRIMINATOR
from .pose_discriminator import load_pose_discriminator
from .recipes.recipe import Recipe
from .recipes.writing import resolved_text
from .stage import StageConfig, TrainingModule, set_up
from .trainer import Model, Trainer, Validate
from .validation import audio_gap, sample_clip

Show = Callable[[int, dict[str, float]], None]
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where a run reads and writes; held_out switches validation on, vae its pictures.

    init holds the same system's earlier weights, adopt another system's, of which those are taken that fit.
    discriminator is needed where the recipe weighs its loss.
    """

    store: Path
    out: Path
    init: Path | None = None
    adopt: Path | None = None
    discriminator: Path | None = None
    held_out: Path | None = None
    vae: TinyVAE | None = None


def train_stage(
    recipe: Recipe,
    stage: StageConfig,
    files: RunFiles,
    *,
    seed: int = 0,
    until: int | None = None,
    show: Show,
) -> Path:
    """Train or resume one stage; return the path of the averaged weights.

    Raises:   StoreError, CheckpointError: the data or the initial weights do not fit; ConfigError: prepared
              videos do not hold what the system asks
    """
    spec = recipe.image_system if stage.name == "image" else recipe.system
    videos = PreparedVideos(files.store)
    _require_fitting(videos, spec, stage)
    torch.manual_seed(seed)
    # On a CPU the fused attention's backward pass is several times slower than two matrix products.
    model = SystemModel(spec, ops=TORCH_OPS if torch.cuda.is_available() else TRAINING_OPS)
    if files.init:
        load_initial(model, files.init)
    if files.adopt:
        adopt(model, files.adopt)
    videos = PreparedVideos(files.store)
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
    return train_logged(
        trainer,
        until=until,
        show=show,
        validation=partial(_validation, files=files, spec=spec, stage=stage) if files.held_out else None,
        about=lambda: about_trained(stage.name, spec, calibrate(videos)),
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


def load_initial(model: SystemModel, path: Path) -> list[str]:
    """Start from an earlier stage's weights; return the names that it does not have.

    Raises:   CheckpointError: the file has names that the model lacks, or another shape
    """
    state, own = load_weights(path), model.state_dict()
    strange = sorted(key for key, value in state.items() if key not in own or own[key].shape != value.shape)
    if strange:
        raise CheckpointError(
            f"{path} has {len(strange)} weights that this system does not, the first is '{strange[0]}'; "
            "give the model.safetensors of the same recipe's earlier stage."
        )
    model.load_state_dict(state, strict=False)
    return sorted(own.keys() - state.keys())


def adopt(model: SystemModel, path: Path) -> int:
    """Take over those weights of another system that have a name and a shape here; return how many.

    Raises:   CheckpointError: there is none
    """
    own = model.state_dict()
    taken = {
        key: value
        for key, value in load_weights(path).items()
        if key in own and own[key].shape == value.shape
    }
    if not taken:
        raise CheckpointError(
            f"None of the weights in {path} has a name and a shape of '{model.spec.name}'; give a checkpoint "
            "of a related system."
        )
    model.load_state_dict(taken, strict=False)
    return len(taken)


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

    def validate(model: SystemModel, step: int) -> dict[str, float]:
        device = next(model.parameters()).device
        with torch.autocast(device.type, _AUTOCAST.get(stage.precision), enabled=stage.precision != "no"):
            values = audio_gap(model, batch.to(device))
        if files.vae is not None:
            frames = sample_clip(model, files.vae, batch)
            log.picture(step, "clip", contact_sheet(frames, columns=len(frames), scale=1))
        return values

    return validate
