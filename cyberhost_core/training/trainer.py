"""The training loop: one stage, on one device or many, resumable, with validation.

Everything random is a function of (seed, step, rank), so a run that was killed and resumed ends in the same
bits.
"""

import copy
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..data.store import PreparedVideos
from ..errors import MissingExtraError, require_extra
from ..systems.model import SystemModel
from .batches import Batch, BatchMaker
from .checkpoint import load_run, save_run
from .stage import StageConfig, TrainingModule

Validate = Callable[[SystemModel, int], dict[str, float]]
Report = Callable[[int, dict[str, float]], None]


class Trainer:
    """Train one stage of one model.

    The exponential moving average is what a finished stage hands on; the raw weights only live in the run
    file.
    """

    def __init__(
        self,
        model: SystemModel,
        stage: StageConfig,
        videos: PreparedVideos,
        *,
        out: Path,
        seed: int = 0,
        workers: int = 1,
    ) -> None:
        self.stage, self.out, self.workers = stage, out, workers
        # what a resumed run must have in common with its first part
        self.config = json.dumps(
            {"stage": json.loads(stage.to_json()), "system": json.loads(model.spec.to_json()), "seed": seed}
        )
        self.accelerator = _accelerator(stage)
        self.module = TrainingModule(model, stage.loss)
        self.ema = copy.deepcopy(self.module).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.module.parameters(),
            lr=stage.learning_rate,
            betas=stage.betas,
            weight_decay=stage.weight_decay,
        )
        self.batches = BatchMaker(
            videos,
            model.spec,
            stage.sampling,
            frames=stage.frames,
            seed=seed,
            rank=self.accelerator.process_index,
        )

    @property
    def run_file(self) -> Path:
        return self.out / "run.safetensors"

    def run(
        self, *, until: int | None = None, report: Report | None = None, validate: Validate | None = None
    ) -> SystemModel:
        """Train from where the run file stands to `until` (default: the stage's end); return the average."""
        device, stage = self.accelerator.device, self.stage
        done = 0
        if self.run_file.exists():
            done = load_run(
                self.run_file,
                module=self.module,
                ema=self.ema,
                optimizer=self.optimizer,
                config=self.config,
            )
        self.ema.to(device)
        wrapped, optimizer = self.accelerator.prepare(self.module, self.optimizer)
        wrapped.train()
        last = min(until or stage.steps, stage.steps)
        for step, micro_batches in self._steps(done, last):
            losses = self._step(wrapped, optimizer, step=step, micro_batches=micro_batches, device=device)
            finished = step + 1
            if report and self.accelerator.is_main_process:
                report(finished, losses)
            if finished % stage.save_every == 0 or finished == last:
                self._save(wrapped, optimizer, finished)
            if validate and self.accelerator.is_main_process and finished % stage.validate_every == 0:
                report_values = validate(self.ema.model, finished)
                if report:
                    report(finished, report_values)
        return self.ema.model

    def _step(
        self,
        wrapped: nn.Module,
        optimizer: Any,
        *,
        step: int,
        micro_batches: Iterable[Batch],
        device: torch.device,
    ) -> dict[str, float]:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(self.stage, step)
        sums: dict[str, float] = {}
        for batch in micro_batches:
            with self.accelerator.accumulate(wrapped), self.accelerator.autocast():
                losses: dict[str, Tensor] = wrapped(batch.to(device))
                self.accelerator.backward(torch.stack(list(losses.values())).sum())
                if self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(wrapped.parameters(), self.stage.clip_norm)
                optimizer.step()
                optimizer.zero_grad()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / self.stage.accumulate
        update_average(
            self.ema, self.accelerator.unwrap_model(wrapped), decay=self.stage.ema_decay, step=step
        )
        return sums

    def _steps(self, first: int, last: int) -> Iterable[tuple[int, list[Batch]]]:
        count = self.stage.accumulate
        numbers = range(first * count, last * count)
        loader = DataLoader(
            self.batches,
            batch_size=None,
            sampler=numbers,
            num_workers=self.workers,
            prefetch_factor=2 if self.workers else None,
        )
        stream = iter(loader)
        for step in range(first, last):
            yield step, [next(stream) for _ in range(count)]

    def _save(self, wrapped: nn.Module, optimizer: Any, step: int) -> None:
        if self.accelerator.is_main_process:
            save_run(
                self.run_file,
                module=self.accelerator.unwrap_model(wrapped),
                ema=self.ema,
                optimizer=getattr(optimizer, "optimizer", optimizer),
                step=step,
                config=self.config,
            )
        self.accelerator.wait_for_everyone()


def learning_rate(stage: StageConfig, step: int) -> float:
    """Warm up linearly, hold, then fall linearly to a tenth over the last decay_fraction of the stage."""
    warm = min(1.0, (step + 1) / max(1, stage.warmup_steps))
    decay_steps = stage.decay_fraction * stage.steps
    left = stage.steps - step
    fall = 0.1 + 0.9 * left / decay_steps if decay_steps and left < decay_steps else 1.0
    return stage.learning_rate * warm * fall


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, *, decay: float, step: int) -> None:
    """Move the average towards the weights; early on it follows faster, to forget the random start."""
    rate = 1 - min(decay, (1 + step) / (10 + step))
    for kept, new in zip(average.parameters(), module.parameters(), strict=True):
        kept.lerp_(new, rate)
    for buffer, value in zip(average.buffers(), module.buffers(), strict=True):
        buffer.copy_(value)


def _accelerator(stage: StageConfig) -> Any:
    try:
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs
    except ImportError as error:
        raise _train_extra() from error
    # The ReferenceNet's last layers feed nobody, so some parameters never get a gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(
        mixed_precision=stage.precision,
        gradient_accumulation_steps=stage.accumulate,
        kwargs_handlers=[unused],
    )


def _train_extra() -> MissingExtraError:
    return require_extra("accelerate", extra="train", purpose="Training")
