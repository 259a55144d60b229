"""Writing one tensor at a time: safetensors reads it back, equal weights give equal bytes, all or nothing."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cyberhost_core.checkpoints import streaming
from cyberhost_core.checkpoints.streaming import Entry, write_safetensors
from cyberhost_core.errors import Cancelled, CheckpointError

WEIGHTS = {
    "b.weight": torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).half(),
    "a.weight": torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(1)),
    "c.scale": torch.tensor(0.5),
    "c.count": torch.tensor([1, 2, 3]),
    "c.mask": torch.tensor([True, False, True]),
    "c.empty": torch.zeros(0, 4),
    "d.turned": torch.randn(3, 7, generator=torch.Generator().manual_seed(2)).t(),
    "d.short": torch.randn(9, generator=torch.Generator().manual_seed(3)).to(torch.bfloat16),
}
METADATA = {"format": "x", "licence": "none", "note": 'Grüße "und" mehr'}


def entries(weights: dict[str, Tensor], dtype: torch.dtype | None = None) -> dict[str, Entry]:
    return {
        name: Entry(
            tuple(value.shape),
            dtype if dtype and value.is_floating_point() else value.dtype,
            lambda v=value: v,
        )
        for name, value in weights.items()
    }


def write(path: Path, planned: dict[str, Entry], on_bytes: Callable[[int, int], None] | None = None) -> int:
    return write_safetensors(path, planned, METADATA, on_bytes=on_bytes or (lambda _done, _total: None))


def test_safetensors_reads_back_what_was_streamed(tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    size = write(path, entries(WEIGHTS))
    assert path.stat().st_size == size
    found = load_file(path)
    assert found.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == METADATA


def test_the_data_lies_as_safetensors_itself_lays_it(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    weights = {name: value for name, value in WEIGHTS.items() if value.dtype != torch.bfloat16}
    write(ours, entries(weights))
    save_file({name: value.contiguous() for name, value in weights.items()}, theirs, METADATA)

    def parts(path: Path) -> tuple[dict[str, Any], bytes]:
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        return json.loads(data[8 : 8 + length]), data[8 + length :]

    assert parts(ours) == parts(theirs)


def test_equal_weights_give_equal_bytes_in_whatever_order_they_come(tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    write(first, entries(WEIGHTS))
    write(second, dict(reversed(entries(WEIGHTS).items())))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_numbers_are_rounded_as_torch_rounds_them_and_integers_are_left(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    path = tmp_path / "out.safetensors"
    write(path, entries(WEIGHTS, dtype))
    for name, value in load_file(path).items():
        wanted = WEIGHTS[name].to(dtype) if WEIGHTS[name].is_floating_point() else WEIGHTS[name]
        assert torch.equal(value, wanted)


def test_tensors_are_made_one_at_a_time(tmp_path: Path) -> None:
    alive: list[int] = []

    class Noted(NamedTuple):
        order: int

        def __call__(self) -> Tensor:
            alive.append(self.order)
            return torch.full((2,), float(self.order))

    told: list[int] = []
    planned = {f"{order:02}": Entry((2,), torch.float32, Noted(order)) for order in range(10)}
    write(tmp_path / "out.safetensors", planned, lambda done, _total: told.append(done - 8 * len(alive)))
    assert alive == list(range(10))
    assert told == [0] * 11, "before each tensor is made, all those before it are written"


def fails(error: BaseException) -> Callable[[], Tensor]:
    def make() -> Tensor:
        raise error

    return make


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), Cancelled("stop"), MemoryError(), OSError(5, "no disk")]
)
@pytest.mark.parametrize("before", [None, b"what was there"])
def test_a_run_that_does_not_end_leaves_everything_as_it_was(
    error: BaseException, before: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "out.safetensors"
    if before:
        path.write_bytes(before)
    planned = entries(WEIGHTS) | {"z.last": Entry((2,), torch.int8, fails(error))}
    with pytest.raises(CheckpointError if isinstance(error, OSError) else type(error)):
        write(path, planned)
    assert [file.name for file in tmp_path.iterdir()] == ([path.name] if before else [])
    if before:
        assert path.read_bytes() == before


def test_numbers_that_the_type_cannot_hold_are_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    large = {"layer.weight": torch.tensor([1.0, -70000.0])}
    with pytest.raises(CheckpointError, match=r"'layer\.weight' .*above.* choose bf16"):
        write(path, entries(large, torch.float16))
    write(path, entries(large, torch.bfloat16))
    for wrong in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(CheckpointError, match=r"'layer\.weight' .*not finite; .*damaged"):
            write(path, entries({"layer.weight": torch.tensor([1.0, wrong])}, torch.bfloat16))


def test_a_tensor_of_another_shape_than_its_header_said_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'w' has the shape \[3\], \[2\] was expected"):
        write(tmp_path / "out.safetensors", {"w": Entry((2,), torch.float32, lambda: torch.ones(3))})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_noticed_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = streaming.shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(streaming.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(CheckpointError, match="but only 0 MB are free there; free some room"):
        write(tmp_path / "out.safetensors", {"w": Entry((2,), torch.float32, fails(AssertionError()))})


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no folder .*gone to write out\.safetensors"):
        write(tmp_path / "gone" / "out.safetensors", entries(WEIGHTS))
