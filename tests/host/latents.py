"""What a sampler made, as numbers."""

import torch
from safetensors.torch import load_file

from .prompts import Prompt, node
from .server import Client


def latents(host: Client, prompt: Prompt, source: str, name: str) -> torch.Tensor:
    """Run a prompt and read the latents of one node."""
    save = node("SaveLatent", samples=[source, 0], filename_prefix=name)
    host.run({**prompt, "save": save})
    (path,) = (host.server.folder / "output").glob(f"{name}_*.latent")
    return load_file(path)["latent_tensor"]
