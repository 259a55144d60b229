"""Loading builds nothing twice: the same bits as the plain way, in the memory of the weights alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cyberhost_core.backbone.latents_bank import BankConfig
from cyberhost_core.backbone.ops import TORCH_OPS, Ops
from cyberhost_core.checkpoints.building import build_filled
from cyberhost_core.checkpoints.file import Checkpoint, load_checkpoint, open_checkpoint, save_checkpoint
from cyberhost_core.checkpoints.peers import convert_peer
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.systems.cyberhost import SYSTEMS, map_regions
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.public import PEERS, PeerConfig
from cyberhost_core.systems.spec import SystemSpec

from .weight_files import peer_shapes, random_weights, shrunk

MEASURE = Path(__file__).with_name("measure_loading.py")


def at_small_size(spec: SystemSpec) -> SystemSpec:
    """The same parts and layers in the same places, a few thousand times smaller."""
    banks = (BankConfig(axis="spatial", spatial=6, rows=2), BankConfig(axis="temporal", temporal=3))
    channels = (32, 32, 64, 64)[: len(spec.unet.channels)]
    spec = spec.derive(unet=spec.unet.derive(channels=channels, norm_groups=8), height=64, width=64)
    spec = map_regions(spec, lambda ram: ram.derive(width=16, heads=2, banks=banks, mask_width=4))
    return spec.changing(Sound, lambda sound: sound.derive(feature_dim=6))


def everything_kept(model: nn.Module) -> dict[str, Tensor]:
    """Parameters, buffers (those that no file holds, too), and tensors that a part keeps as an attribute."""
    kept = dict(model.named_parameters()) | dict(model.named_buffers())
    for path, part in model.named_modules():
        kept |= {f"{path}.{name}": value for name, value in vars(part).items() if torch.is_tensor(value)}
    return kept


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_loaded_model_equals_one_that_was_built_first_and_filled_then(
    system: str, tmp_path: Path, build: Callable, clips: Callable
) -> None:
    path = tmp_path / "file.safetensors"
    spec = at_small_size(SYSTEMS[system]())
    save_checkpoint(path, Checkpoint(model=build(spec), vae=None, audio_encoder=None))
    plain = SystemModel(spec)
    plain.load_state_dict(load_file(path))
    plain.eval().requires_grad_(False)
    loaded = load_checkpoint(path).model
    wanted, found = everything_kept(plain), everything_kept(loaded)
    assert found.keys() == wanted.keys()
    assert any("positions" in name for name in found)
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name
    assert torch.equal(predicted(loaded, clips), predicted(plain, clips))


@pytest.mark.parametrize("kind", PEERS)
def test_a_public_model_too(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    save_file(random_weights(shrunk(peer_shapes(kind))), tmp_path / "published.safetensors")
    config = PeerConfig(norm_groups=8, motion_norm_groups=8)
    convert_peer(kind, [tmp_path / "published.safetensors"], path, config=config)
    loaded = load_checkpoint(path).model
    plain = SystemModel(loaded.spec)
    plain.load_state_dict(load_file(path))
    wanted, found = everything_kept(plain.eval()), everything_kept(loaded)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def predicted(model: SystemModel, clips: Callable) -> Tensor:
    told = clips(model, count=1)
    with torch.no_grad():
        return told.predict(told.conditions(motion=True))


def test_a_part_that_is_computed_from_weights_that_are_not_there_yet_is_a_fault() -> None:
    class Doubled(nn.Module):
        def __init__(self, ops: Ops) -> None:
            super().__init__()
            self.linear = ops.Linear(2, 2)
            self.twice = 2 * self.linear.weight.detach()

    state = {"linear.weight": torch.ones(2, 2), "linear.bias": torch.ones(2)}
    with pytest.raises(RuntimeError, match=r"'\.twice' was computed from a layer's weights before"):
        build_filled(Doubled, state, ops=TORCH_OPS, dtype=torch.float32, path=Path("x"))


@pytest.fixture
def half(small_spec: SystemSpec, build: Callable, tmp_path: Path) -> Path:
    path = tmp_path / "half.safetensors"
    save_checkpoint(
        path, Checkpoint(model=build(small_spec).half(), vae=None, audio_encoder=None), precision="fp16"
    )
    return path


def test_an_opened_file_keeps_the_precision_it_was_stored_in(half: Path) -> None:
    assert {value.dtype for value in open_checkpoint(half).system.values()} == {torch.float16}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_model_has_the_precision_that_was_asked_for(half: Path, dtype: torch.dtype) -> None:
    loaded = load_checkpoint(half, dtype=dtype).model.state_dict()
    for name, value in load_file(half).items():
        assert loaded[name].dtype == dtype
        assert torch.equal(loaded[name], value.to(dtype)), name


def test_without_a_word_a_model_is_in_full_precision(half: Path) -> None:
    model = load_checkpoint(half).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_loaded_model_does_not_change_with_its_file(half: Path) -> None:
    model = load_checkpoint(half, dtype=torch.float16).model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = half.read_bytes()
    with half.open("r+b") as file:  # in place: a mapping of the file would see it
        file.seek(len(data) // 2)
        file.write(bytes(len(data) // 2))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the kernel's own count of memory")
@pytest.mark.parametrize(
    ("dtype", "share"),
    [(torch.float16, 1.0), (torch.bfloat16, 1.0), (torch.float32, 2.0)],
)
def test_loading_takes_the_memory_of_the_weights_and_little_more(
    dtype: torch.dtype, share: float, small_spec: SystemSpec, tmp_path: Path
) -> None:
    """A file of N bytes in 16 bits takes N bytes in a type of 16 bits, 2 N in one of 32; 15 % to spare."""
    path = tmp_path / "large.safetensors"
    wide = small_spec.derive(unet=small_spec.unet.derive(channels=(320, 640)))
    save_checkpoint(
        path, Checkpoint(model=SystemModel(wide).half(), vae=None, audio_encoder=None), precision="fp16"
    )
    stored = path.stat().st_size
    assert stored > 100 << 20
    run = subprocess.run(
        [sys.executable, str(MEASURE), str(path), str(dtype).removeprefix("torch.")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    measured = json.loads(run.stdout)
    assert measured["kept"] > 0.95 * share * stored
    assert measured["peak"] < 1.15 * share * stored
