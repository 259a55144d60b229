"""Reading other people's weights: every format gives the same tensors, every bad file one sentence."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from cyberhost_core.checkpoints import sources
from cyberhost_core.checkpoints.sources import Source, weights_file
from cyberhost_core.errors import CheckpointError

WEIGHTS = {
    "conv.weight": torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0)),
    "norm.bias": torch.arange(5.0).half(),
    "scale": torch.tensor(2.5),
    "count": torch.tensor([7, 8]),
    "wide": torch.randn(3, 2, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16),
}


def save_older(weights: object, path: Path) -> None:
    torch.save(weights, path, _use_new_zipfile_serialization=False)


WRITERS: dict[str, Callable[[dict[str, Tensor], Path], None]] = {
    "safetensors": save_file,
    "zip": torch.save,
    "older": save_older,
    "in state_dict": lambda weights, path: torch.save({"epoch": 3, "state_dict": weights}, path),
    "as OpenAI": lambda weights, path: torch.save({"dims": {"n": 1}, "model_state_dict": weights}, path),
}


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "weights.any"  # the format is told by what is inside
    WRITERS[request.param](WEIGHTS, path)
    return path


def refused(act: Callable[[], object], path: Path) -> str:
    """A message of one sentence that names the file and ends in advice."""
    with pytest.raises(CheckpointError) as caught:
        act()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert re.search(r"[;:] [^;:]+\.$", message), "the last part says what to do"
    assert not re.search(r"[a-z)]\. [A-Z]", message), "more than one sentence"
    return message


def test_every_format_gives_the_same_tensors(written: Path) -> None:
    source = Source(written)
    assert source.tensors.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        assert source.tensors[name].shape == tuple(value.shape)
        assert source.tensors[name].dtype == value.dtype
        assert torch.equal(source.read(name), value)


def test_a_safetensors_file_is_one_however_its_header_is_long(tmp_path: Path) -> None:
    # The length comes first, and its lowest byte may be the one that pickles begin with.
    path, lengths = tmp_path / "weights.any", set()
    for padding in range(64):
        save_file(WEIGHTS, path, {"note": "x" * 8 * padding})
        lengths.add(path.read_bytes()[0])
        assert not Source(path).read_whole
    assert 0x80 in lengths


def test_tensors_stay_what_they_are_when_the_file_is_mapped_anew(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAPPED_AT_MOST", 8)  # bytes: after every other tensor
    source, other = Source(written), Source(written)
    kept = [(name, reader.read(name)) for _ in range(3) for name in WEIGHTS for reader in (source, other)]
    assert all(torch.equal(value, WEIGHTS[name]) for name, value in kept)


@pytest.mark.parametrize("form", ["safetensors", "zip", "older"])
def test_a_truncated_file_is_refused_wherever_it_ends(form: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.any"
    WRITERS[form](WEIGHTS, path)
    whole = path.read_bytes()
    for share in (0.999, 0.9, 0.7, 0.5, 0.3, 0.1, 0.02):
        path.write_bytes(whole[: int(len(whole) * share)])
        refused(lambda: Source(path), path)


class _Writes:
    """What a pickle can do to whoever reads it: here, leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch.save, save_older], ids=["zip", "older"])
def test_a_pickle_that_wants_code_is_refused_and_does_nothing(save: Callable, tmp_path: Path) -> None:
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    save({"weight": torch.ones(2), "callback": _Writes(trace)}, path)
    message = refused(lambda: Source(path), path)
    assert "mkdir" in message
    assert "code" in message
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "Git LFS pointer"),
        (b"<html>404</html>", "neither safetensors nor a pickle"),
        (b"", "neither safetensors nor a pickle"),
        (b"PK\x03\x04 a zip of something else", "cannot be read as weights"),
        (b"\x80\x02 nonsense", ""),
    ],
)
def test_a_file_of_another_kind_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert said in refused(lambda: Source(path), path)


@pytest.mark.parametrize("stored", [[torch.ones(2)], {"lr": 0.1}, torch.ones(3), {"state_dict": {}}])
def test_a_pickle_without_weights_by_name_is_refused(stored: object, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(stored, path)
    assert "no weights by name" in refused(lambda: Source(path), path)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    refused(lambda: Source(gone), gone)
    refused(lambda: weights_file(gone), gone)
    refused(lambda: Source(tmp_path), tmp_path)
    refused(lambda: weights_file(tmp_path, "unet"), tmp_path)


def test_the_weights_of_a_download_are_found_in_it(tmp_path: Path) -> None:
    inside = tmp_path / "unet"
    inside.mkdir()
    half = inside / "diffusion_pytorch_model.fp16.safetensors"
    save_file(WEIGHTS, half)
    assert weights_file(tmp_path, "unet") == weights_file(inside) == weights_file(half) == half
    full = inside / "diffusion_pytorch_model.safetensors"
    save_file(WEIGHTS, full)
    assert weights_file(tmp_path, "unet") == full, "the full precision is preferred"
