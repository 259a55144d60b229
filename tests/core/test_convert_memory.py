"""Converting takes the memory of a few tensors, however large the files are.

Measured in a process of its own as the kernel's highest mark of resident memory, mapped pages of the files
included. The full-size runs write up to 15 GB of random weights, and print what they took:

    pytest -m weights tests/core/test_convert_memory.py
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from cyberhost_core.checkpoints.streaming import Entry, write_safetensors

from .original_names import Shapes, original_unet
from .weight_files import is_position, parts_of, peer_shapes, random_weights, sinusoidal

MEASURE = Path(__file__).with_name("measure_converting.py")
LINUX = pytest.mark.skipif(
    not Path("/proc/self/status").is_file(), reason="reads the kernel's own count of memory"
)


def measured(job: dict[str, Any]) -> dict[str, float]:
    """Run a job of measure_converting.py, on real files and alone."""
    run = subprocess.run(
        [sys.executable, str(MEASURE), json.dumps(job, default=str)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(run.stdout)


def write_random(path: Path, shapes: Shapes, *, dtype: torch.dtype) -> Path:
    """Write real random weights one by one, so that the test itself needs little memory."""

    def make(name: str) -> Tensor:
        if is_position(name):
            return sinusoidal(*shapes[name][-2:]).view(shapes[name])
        return torch.empty(shapes[name]).uniform_(-0.1, 0.1)

    entries = {name: Entry(shape, dtype, lambda name=name: make(name)) for name, shape in shapes.items()}
    write_safetensors(path, entries, {}, on_bytes=lambda _done, _total: None)
    return path


def quarter(shapes: Shapes) -> Shapes:
    """The U-Nets at a quarter of their width: 0.6 GB in 32 bits."""
    return {
        name: tuple(size // 4 if size % 320 == 0 else size for size in shape)
        for name, shape in shapes.items()
    }


def largest(shapes: Shapes, width: int) -> int:
    return width * max(torch.Size(shape).numel() for shape in shapes.values())


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("form", ["safetensors", "pickles"])
def test_a_file_of_half_a_gigabyte_takes_under_100_mb_beside_its_largest_tensor(
    form: str, tmp_path: Path
) -> None:
    kind = "animate-anyone"
    shapes = quarter(peer_shapes(kind))
    weights = random_weights(shapes)
    if form == "safetensors":
        save_file(weights, tmp_path / "all.safetensors")
    else:
        for stem, part in parts_of(weights, maps="pose_guider").items():
            torch.save(part, tmp_path / f"{stem}.pth")
    del weights
    stored = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert stored > 500e6
    found = measured(
        {
            "kind": kind,
            "sources": sorted(tmp_path.iterdir()),
            "out": tmp_path / "out.safetensors",
            "config": {"norm_groups": 8, "motion_norm_groups": 8},
        }
    )
    assert found["bytes"] > 250e6
    assert found["peak"] < 100e6 + largest(shapes, width=4)
    assert found["anonymous"] < 20e6 + 2 * largest(shapes, width=4)


@LINUX
@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("form", ["safetensors", "pickle"])
def test_a_full_size_public_model_takes_under_2_gb_beside_its_largest_tensor(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = peer_shapes("hallo")
    path = tmp_path / "net.safetensors"
    write_random(path, shapes, dtype=torch.float32 if form == "safetensors" else torch.float16)
    if form == "pickle":
        path = repickled(path)
    job = {"kind": "hallo", "sources": [path], "out": tmp_path / "out.safetensors", "config": {}}
    require_small(measured(job), "hallo", path, shapes, say=capsys)


@LINUX
@pytest.mark.slow
@pytest.mark.weights
def test_assembling_the_full_size_system_takes_under_2_gb_beside_its_largest_tensor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = {f"model.diffusion_model.{name}": shape for name, shape in original_unet().items()}
    unet = write_random(tmp_path / "v1-5.safetensors", shapes, dtype=torch.float32)
    prefix = "denoising_unet."
    motion_shapes = {
        name.removeprefix(prefix): shape
        for name, shape in peer_shapes("animate-anyone").items()
        if ".motion_modules." in name
    }
    motion = write_random(tmp_path / "mm.safetensors", motion_shapes, dtype=torch.float16)
    job = {"unet": unet, "motion": motion, "out": tmp_path / "out.safetensors"}
    require_small(measured(job), "assemble", unet, shapes, say=capsys)


def repickled(path: Path) -> Path:
    """Store a safetensors file as torch does; its tensors stay in their file while they are copied."""
    from safetensors import safe_open

    pickled = path.with_suffix(".pth")
    with safe_open(path, framework="pt") as file:
        torch.save({name: file.get_tensor(name) for name in file.keys()}, pickled)  # noqa: SIM118
    path.unlink()
    return pickled


def require_small(
    found: dict[str, float], what: str, path: Path, shapes: Shapes, *, say: pytest.CaptureFixture[str]
) -> None:
    stored = path.stat().st_size
    with say.disabled():
        print(  # noqa: T201 - the figures are asked for by name
            f"\n{what}: {stored / 1e9:.2f} GB {path.suffix} -> {found['bytes'] / 1e9:.2f} GB in "
            f"{found['seconds']:.0f} s, peak {found['peak'] / 1e6:.0f} MB above what was there before "
            f"(without mapped pages {found['anonymous'] / 1e6:.0f} MB), "
            f"largest tensor {largest(shapes, width=4) / 1e6:.0f} MB in 32 bits"
        )
    assert stored > 3e9
    assert found["peak"] < 2e9 + largest(shapes, width=4)
