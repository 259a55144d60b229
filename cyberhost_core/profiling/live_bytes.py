"""Count the memory of tensors, operation by operation; fake tensors are counted as real ones, and need none.

every operation -> its results -> storages not seen before -> + bytes ... storage freed -> - bytes
"""

import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Follow how many bytes are held by what is computed in this context, now and at most.

    Views share their storage and count once. What a kernel takes and gives back while it runs is not seen,
    nor what an allocator keeps for later.

    Units:    uncounted: tensors that are there already, such as weights
    """

    def __init__(self, uncounted: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.now = 0
        self.peak = 0
        self._uncounted = [tensor.untyped_storage() for tensor in uncounted]  # held, so that no id is reused
        self._seen = {id(storage) for storage in self._uncounted}

    def __torch_dispatch__(  # noqa: PLR0917 - torch's order
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._see(value)
        return result

    def restart_peak(self) -> None:
        """Forget the peak so far."""
        self.peak = self.now

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if id(storage) in self._seen:
            return
        size = storage.nbytes()
        self._seen.add(id(storage))
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, id(storage), size).atexit = False

    def _forget(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size
