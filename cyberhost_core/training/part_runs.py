"""Train one part of a model, such as a twin or the autoencoder, to the file that a user named.

    OUT.run/run.safetensors   what a run needs to go on; gone when OUT is written
    OUT                       the averaged weights in the part's own format, after the last step

The same command given again goes on from the run file; with other settings, another seed or other data it is
refused, which is what the fingerprints of data are for.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from .loop import LoopConfig
from .trainer import Learner, Model, Report, Trainer


def train_part(
    learner: Learner[Model],
    batches: Callable[[int], Dataset[Any]],
    loop: LoopConfig,
    *,
    settings: Mapping[str, Any],
    out: Path,
    write: Callable[[Model], None],
    until: int | None = None,
    show: Report | None = None,
) -> Path | None:
    """Train, or go on with, a part; return OUT, or None where the run stopped at `until`, before its end.

    settings: JSON of all that a run must have in common with its first part, beside the loop; write: averaged
    model, on the CPU -> OUT; batches: see Trainer

    Raises:   CheckpointError: the run beside OUT has other settings, or is damaged
    """
    run_folder = out.with_name(f"{out.name}.run")
    trainer = Trainer(
        learner,
        batches,
        loop,
        config=json.dumps({"loop": loop.model_dump(), **settings}),
        out=run_folder,
    )
    average = trainer.run(until=until, report=show)
    if until is not None and until < loop.steps:
        return None
    if trainer.accelerator.is_main_process:
        write(average.cpu())
        shutil.rmtree(run_folder)
    trainer.accelerator.wait_for_everyone()
    return out


def arrays_fingerprint(arrays: Iterable[np.ndarray]) -> str:
    """Name arrays by their shapes and numbers."""
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Name files by their names and contents."""
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
