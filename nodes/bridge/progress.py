"""Progress on the running node, and Cancel."""

import comfy.model_management
import comfy.utils


def stop_if_cancelled() -> None:
    """Raise ComfyUI's own exception when the user pressed Cancel."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def progress(total: int) -> comfy.utils.ProgressBar:
    """Start the running node's progress bar; call its update(n)."""
    return comfy.utils.ProgressBar(total)
