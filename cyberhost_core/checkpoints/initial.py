"""The initial weights of those parts of a system that no parent brings, without building the whole of it.

Every value is what the part's own __init__ makes: the layer of one site, or the encoders, is built for
real, asked for its weights and let go. The encoders depend on the U-Net's first width only, so they are built
beside a U-Net of one resolution.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from ..backbone.ops import TORCH_OPS
from ..backbone.unet import sites
from ..systems.encoders import Encoders
from ..systems.spec import SystemSpec


@dataclass(frozen=True)
class InitialWeight:
    """One weight that will be made when it is read."""

    shape: tuple[int, ...]
    make: Callable[[], Tensor]
    dtype: torch.dtype = torch.float32

    def read(self) -> Tensor:
        return self.make()


class InitialWeights:
    """Make initial weights, name by name.

    Each part draws from a stream of its own, named by its path: equal seeds give equal weights, in whatever
    order they are asked for. One part is kept at a time.
    """

    def __init__(self, spec: SystemSpec, *, seed: int) -> None:
        self._seed = seed
        self._builders: dict[str, Callable[[], nn.Module]] = {
            f"denoiser.{site.path(layer.slot)}.": lambda layer=layer, site=site: layer.build(site, TORCH_OPS)
            for site in sites(spec.unet)
            for layer in spec.unet.layers
            if layer.runs_at(site)
        }
        narrow = spec.unet.derive(channels=spec.unet.channels[:1], attention_stages=(True,))
        self._builders[""] = lambda: Encoders(spec.derive(unet=narrow))
        self._part = lru_cache(maxsize=1)(self._built)

    def one(self, name: str, shape: tuple[int, ...]) -> InitialWeight:
        """Describe a weight that will be made when it is read."""
        return InitialWeight(shape, lambda: self(name))

    def __call__(self, name: str) -> Tensor:
        path = next(path for path in self._builders if name.startswith(path))
        return self._part(path)[name.removeprefix(path)]

    def _built(self, path: str) -> dict[str, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(f"{self._seed} {path}".encode()))
            return self._builders[path]().state_dict()
