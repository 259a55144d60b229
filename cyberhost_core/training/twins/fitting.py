"""The one training loop of the twins: AdamW, warm-up and cosine decay, averaged weights, resumable.

    loss_at(step) -> loss -> AdamW -> averaged weights (what is returned)

`loss_at` draws its batch from (seed, step) alone, so that a run that was stopped goes on as if it never was.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ...config import Config

LossAt = Callable[[int], Tensor]
Report = Callable[[int, int, float], None]  # (steps done, steps in all, loss)


class Fit(Config):
    """How long and how fast a twin learns."""

    steps: int
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 0.02
    averaging: float = 0.995
    checkpoint_every: int = 200


def silent(done: int, steps: int, loss: float) -> None:
    """Report nothing."""


def fit(
    model: nn.Module, loss_at: LossAt, *, plan: Fit, checkpoint: Path | None, report: Report
) -> nn.Module:
    """Train a model in place and return the copy with averaged weights.

    The checkpoint is written atomically and removed at the end; one that exists is continued.
    """
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(plan.averaging), use_buffers=True)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=plan.weight_decay
    )
    parts = {"model": model, "averaged": averaged, "optimizer": optimizer}
    model.train()
    for step in range(_restore(parts, checkpoint), plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * _pace(step, plan=plan)
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        averaged.update_parameters(model)
        report(step + 1, plan.steps, float(loss.detach()))
        if checkpoint is not None and (step + 1) % plan.checkpoint_every == 0:
            _save(parts, checkpoint, step=step + 1)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return averaged.module.eval()


def _pace(step: int, *, plan: Fit) -> float:
    """Learning rate as a fraction: linear warm-up, then half a cosine down to zero."""
    warmup = min(1.0, (step + 1) / plan.warmup_steps)
    return warmup * 0.5 * (1.0 + math.cos(math.pi * step / plan.steps))


def _save(parts: dict, checkpoint: Path, *, step: int) -> None:
    unfinished = checkpoint.with_suffix(".part")
    torch.save({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, unfinished)
    os.replace(unfinished, checkpoint)


def _restore(parts: dict, checkpoint: Path | None) -> int:
    if checkpoint is None or not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return saved["step"]
