"""Custom nodes for a test server: with this file among them, no weight is loaded that could stay where it is.

ComfyUI's --novram gives a model 0.1 bytes; here every model gets them on a CPU, too, where it would be loaded
whole. All that follows is the host's: layers cast their weights when they run, and a LoRA waits until then.
"""

import traceback
from typing import Any
from unittest.mock import patch

import comfy.model_management as management
import torch
from torch._subclasses import FakeTensorMode
from torch.overrides import TorchFunctionMode

NOVRAM_BYTES = 0.1
PLENTY_BYTES = 1 << 40
ANOTHER = torch.device("cuda")


def load_nothing() -> None:
    """Give every model that is loaded from now on next to no memory."""
    load = management.LoadedModel.model_load

    def model_load(loaded: Any, lowvram_model_memory: float = 0, force_patch_weights: bool = False) -> Any:
        return load(loaded, NOVRAM_BYTES, force_patch_weights)

    management.LoadedModel.model_load = model_load


load_nothing()


class AnotherDevice:
    """Say where reference and prediction come out when the work is done on another device than the weights'.

    There need not be one: tensors of torch's fake mode have a device but no values, and complain, as a GPU
    would, where two devices meet.
    """

    INPUT_TYPES = classmethod(lambda _: {"required": {"model": ("MODEL",), "positive": ("CONDITIONING",)}})
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, model: Any, positive: list) -> tuple[str]:
        passage = positive[0][1]["cyberhost"]
        management.load_models_gpu([model, passage.parts.encoders])
        try:
            with FakeTensorMode(allow_non_fake_inputs=True), Moves(), plenty():
                made = [reference_feature(passage), prediction(model.model.diffusion_model, passage)]
        except RuntimeError as error:
            return (f"{where(error)}: {error}",)
        return (" ".join(tensor.device.type for tensor in made),)


NODE_CLASS_MAPPINGS = {"AnotherDevice": AnotherDevice}


def plenty() -> Any:
    """Attention asks the device how much memory is free."""
    return patch.object(management, "get_free_memory", lambda *_: (PLENTY_BYTES, PLENTY_BYTES))


class Moves(TorchFunctionMode):
    """Let fake tensors be moved in inference mode, where torch's own ways of moving look for a real GPU."""

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if function is torch.tensor:
            device = given.pop("device", None)
            return moved(function(*args, **given), device, None)
        if function is not torch.Tensor.to:
            return function(*args, **given)
        tensor, *target = args
        if target and isinstance(target[0], torch.Tensor):
            return moved(tensor, target[0].device, target[0].dtype)
        device, dtype, *_ = torch._C._nn._parse_to(*target, **given)
        return moved(tensor, device, dtype)


def moved(tensor: torch.Tensor, device: torch.device | None, dtype: torch.dtype | None) -> torch.Tensor:
    """Move by the operator itself."""
    return torch.ops.aten._to_copy(tensor, device=device, dtype=dtype)


def reference_feature(passage: Any) -> torch.Tensor:
    """Read a portrait, as ReferenceNet does."""
    spec = passage.parts.spec
    shapes = {
        "latents": cells(passage),
        "skeleton": (3, spec.height, spec.width),
        "hand_crops": (2, 3, 128, 128),
        "face_vector": (512,),
    }
    given = {name: torch.rand(1, *shape, device=ANOTHER) for name, shape in shapes.items()}
    features = passage.parts.encoders.model.read(given).under("features")
    return next(iter(features.values()))


def prediction(denoiser: Any, passage: Any) -> torch.Tensor:
    """Predict one segment."""
    frames = passage.parts.spec.long_video.frames
    conditions = passage.conditions(frames, device=ANOTHER, dtype=torch.float32)
    x_NCHW = torch.rand(frames, *cells(passage), device=ANOTHER)
    return denoiser(x_NCHW, torch.full((frames,), 500.0, device=ANOTHER), cyberhost=conditions)


def cells(passage: Any) -> tuple[int, int, int]:
    """Channels, height and width of a latent."""
    spec = passage.parts.spec
    return spec.unet.latent_channels, spec.height // 8, spec.width // 8


def where(error: RuntimeError) -> str:
    """Name the last line of the core that was reached."""
    lines = [x for x in traceback.extract_tb(error.__traceback__) if "cyberhost_core" in x.filename]
    return f"{lines[-1].filename}:{lines[-1].lineno}" if lines else "outside of the core"
