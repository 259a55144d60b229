"""Progress on the running node, and Cancel."""

from collections.abc import Callable, Iterator

import comfy.model_management
import comfy.utils


def stop_if_cancelled() -> None:
    """Raise ComfyUI's own exception when the user pressed Cancel."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def progress(total: int) -> comfy.utils.ProgressBar:
    """Start the running node's progress bar; call its update(n)."""
    return comfy.utils.ProgressBar(total)


def counted_steps() -> Callable[[int, int], None]:
    """Give what shows steps done of steps in all on the running node, and hears Cancel."""
    shown = progress(1)

    def tell(done: int, total: int) -> None:
        stop_if_cancelled()
        shown.update_absolute(done, total)

    return tell


def in_batches(count: int, *, size: int) -> Iterator[slice]:
    """Cut work into batches, and show progress and hear Cancel between them."""
    shown = progress(count)
    for start in range(0, count, size):
        stop_if_cancelled()
        batch = slice(start, min(start + size, count))
        yield batch
        shown.update(batch.stop - batch.start)
