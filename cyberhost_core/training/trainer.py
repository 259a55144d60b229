"""The training loop of everything that is trained: on one device or many, resumable, with validation.

    step number -> batch -> learner -> {name: loss} -> AdamW -> weights -> their moving average

Everything random is a function of (seed, step, rank), so a run that was killed and resumed ends in the same
bits.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..errors import MissingExtraError, require_extra
from .average import exchanged, start_average, update_average
from .checkpoint import load_run, save_run
from .loop import LoopConfig, learning_rate
from .optimizers import make_optimizer
from .precision import computed_precision


class Movable(Protocol):
    """A batch: all that the loop itself does with one."""

    def to(self, device: torch.device) -> "Movable":
        """Move all tensors."""
        ...


@dataclass(frozen=True)
class TensorBatch:
    """Be the base of batches whose fields are all tensors."""

    def to(self, device: torch.device) -> Self:
        """Move all tensors."""
        return type(self)(**{item.name: getattr(self, item.name).to(device) for item in fields(self)})


Model = TypeVar("Model", bound=nn.Module)
Validate = Callable[[Model, int], dict[str, float]]
Report = Callable[[int, dict[str, float]], None]


class Learner(nn.Module, Generic[Model]):
    """Compute the losses of a batch (batch -> {name: loss}): the one module that a distributed wrapper wraps.

    model is what a finished run hands on; beside it a learner may hold parts that only training needs.
    Parameters that require no gradient stay as they are.
    """

    model: Model


class Trainer(Generic[Model]):
    """Train one learner.

    The exponential moving average is what a finished run hands on; the raw weights only live in the run
    file.

    batches: rank -> dataset that maps a step number to its batch. config: JSON of what a resumed run must
    have in common with its first part.
    """

    def __init__(
        self,
        module: Learner[Model],
        batches: Callable[[int], Dataset[Any]],
        loop: LoopConfig,
        *,
        config: str,
        out: Path,
    ) -> None:
        self.module, self.loop, self.config, self.out = module, loop, config, out
        self.accelerator = _accelerator(loop)
        self.ema = start_average(module, apart=loop.average_on_cpu)
        self.optimizer = make_optimizer(
            [parameter for parameter in module.parameters() if parameter.requires_grad], loop
        )
        self.batches = batches(self.accelerator.process_index)

    @property
    def run_file(self) -> Path:
        return self.out / "run.safetensors"

    def run(
        self,
        *,
        until: int | None = None,
        report: Report | None = None,
        validate: Validate[Model] | None = None,
    ) -> Model:
        """Train from where the run file stands to `until` (default: the loop's end); return the average."""
        device, loop = self.accelerator.device, self.loop
        self.ema.to("cpu" if loop.average_on_cpu else device)
        wrapped, optimizer = self.accelerator.prepare(self.module, self.optimizer)
        done = 0
        if self.run_file.exists():  # read when all is in its place: the host holds one tensor at a time
            done = load_run(
                self.run_file,
                module=self.module,
                ema=self.ema,
                optimizer=self.optimizer,
                config=self.config,
            )
        wrapped.train()
        last = min(until or loop.steps, loop.steps)
        for step, micro_batches in self._steps(done, last):
            losses = self._step(wrapped, optimizer, step=step, micro_batches=micro_batches, device=device)
            finished = step + 1
            if report and self.accelerator.is_main_process:
                report(finished, losses)
            if finished % loop.save_every == 0 or finished == last:
                self._save(finished)
            if validate and self.accelerator.is_main_process and finished % loop.validate_every == 0:
                with self._average_on_device() as model:
                    report_values = validate(model, finished)
                if report:
                    report(finished, report_values)
        return self.ema.model

    def _step(
        self,
        wrapped: nn.Module,
        optimizer: Any,
        *,
        step: int,
        micro_batches: Iterable[Movable],
        device: torch.device,
    ) -> dict[str, float]:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(self.loop, step)
        sums: dict[str, float] = {}
        for batch in micro_batches:
            with self.accelerator.accumulate(wrapped), self.accelerator.autocast():
                losses: dict[str, Tensor] = wrapped(batch.to(device))
                self.accelerator.backward(torch.stack(list(losses.values())).sum())
                if self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(wrapped.parameters(), self.loop.clip_norm)
                optimizer.step()
                optimizer.zero_grad()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / self.loop.accumulate
        update_average(
            self.ema,
            self.module,
            decay=self.loop.ema_decay,
            step=step,
            buffers=self.loop.average_buffers,
        )
        return sums

    def _steps(self, first: int, last: int) -> Iterable[tuple[int, list[Movable]]]:
        count = self.loop.accumulate
        numbers = range(first * count, last * count)
        loader = DataLoader(
            self.batches,
            batch_size=None,
            sampler=numbers,
            num_workers=self.loop.workers,
            prefetch_factor=2 if self.loop.workers else None,
        )
        stream = iter(loader)
        for step in range(first, last):
            yield step, [next(stream) for _ in range(count)]

    @contextmanager
    def _average_on_device(self) -> Iterator[Model]:
        """Give the averaged model where batches are."""
        if not self.loop.average_on_cpu:
            yield self.ema.model
            return
        with exchanged(self.ema, self.module) as averaged:
            yield averaged.model

    def _save(self, step: int) -> None:
        if self.accelerator.is_main_process:
            save_run(
                self.run_file,
                module=self.module,
                ema=self.ema,
                optimizer=self.optimizer,
                step=step,
                config=self.config,
            )
        self.accelerator.wait_for_everyone()


def _accelerator(loop: LoopConfig) -> Any:
    try:
        from accelerate import Accelerator
        from accelerate.utils import AutocastKwargs, DistributedDataParallelKwargs
    except ImportError as error:
        raise _train_extra() from error
    # The ReferenceNet's last layers feed nobody, so some parameters never get a gradient. Gradients lie in
    # the buckets that devices exchange, not beside them.
    parallel = DistributedDataParallelKwargs(find_unused_parameters=True, gradient_as_bucket_view=True)
    # A cache would hold all weights in 16 bits through the whole step; each is read once, twice at most.
    autocast = AutocastKwargs(cache_enabled=False)
    # Unless told, accelerate takes processes on the cores of a CPU for so many runs of their own.
    devices = (torch.cuda, torch.backends.mps, torch.xpu)
    return Accelerator(
        cpu=not any(device.is_available() for device in devices),
        mixed_precision=computed_precision(loop),
        gradient_accumulation_steps=loop.accumulate,
        kwargs_handlers=[parallel, autocast],
    )


def _train_extra() -> MissingExtraError:
    return require_extra("accelerate", extra="train", purpose="Training")
