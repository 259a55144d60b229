"""The first weights of a run: the first file that has one gives it, and every name is accounted for."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cyberhost_core.checkpoints.file import Checkpoint, save_checkpoint
from cyberhost_core.checkpoints.starting import start_from
from cyberhost_core.errors import CheckpointError
from cyberhost_core.systems import cyberhost, emo2
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.first_stages import basic_modules
from cyberhost_core.training.recipes.recipe import Recipe
from cyberhost_core.training.runs import RunFiles, train_stage
from cyberhost_core.training.stage import StageConfig


def drawn(spec: SystemSpec, *, seed: int) -> SystemModel:
    torch.manual_seed(seed)
    return SystemModel(spec)


@pytest.fixture
def stage_1(small_spec: SystemSpec, tmp_path: Path) -> Path:
    """What stage 1 handed on."""
    path = tmp_path / "stage_1.safetensors"
    save_file(drawn(basic_modules(small_spec), seed=1).state_dict(), path)
    return path


@pytest.fixture
def parents(small_spec: SystemSpec, tmp_path: Path) -> Path:
    """A whole checkpoint in sixteen bits."""
    path = tmp_path / "parents.safetensors"
    whole = Checkpoint(model=drawn(small_spec, seed=2), vae=None, audio_encoder=None)
    save_checkpoint(path, whole, precision="fp16")
    return path


def test_the_first_file_that_has_a_weight_gives_it(
    small_spec: SystemSpec, stage_1: Path, parents: Path
) -> None:
    learned, parental = load_file(stage_1), load_file(parents)
    for files, expected in (((stage_1, parents), parental | learned), ((parents, stage_1), parental)):
        model = SystemModel(small_spec)
        start_from(model, files)
        for name, value in model.state_dict().items():
            assert torch.equal(value, expected[name].float()), name


def test_the_account_says_of_every_weight_where_it_came_from(
    small_spec: SystemSpec, stage_1: Path, parents: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.safetensors"
    save_file({"denoiser.conv_in.weight": torch.zeros(7), "lora.up": torch.zeros(2)}, stranger)
    save_file({**load_file(stranger), "denoiser.conv_in.bias": torch.zeros(16)}, stranger)
    model = SystemModel(basic_modules(small_spec))
    own = model.state_dict()
    report = start_from(model, (stranger, stage_1, parents))
    conv = report.groups["denoiser"]
    assert conv.matched["denoiser.conv_in.weight"] == f"{stage_1}: denoiser.conv_in.weight"
    assert conv.matched["denoiser.conv_in.bias"] == f"{stranger}: denoiser.conv_in.bias"
    assert conv.dropped["of shape [7] instead of [16, 4, 3, 3]"] == [f"{stranger}: denoiser.conv_in.weight"]
    assert f"{stage_1}: denoiser.conv_in.bias" in conv.dropped["an earlier file gives it, too, and counts"]
    assert report.groups["lora"].dropped == {"this system has no such weight": [f"{stranger}: lora.up"]}
    matched = {name for group in report.groups.values() for name in group.matched}
    assert matched == own.keys()
    motion = report.groups["denoiser.motion_modules"].dropped["this system has no such weight"]
    assert all(origin.startswith(f"{parents}: denoiser.") for origin in motion)
    text = report.as_text().splitlines()
    assert text[0].split() == ["part", "from", "1", "from", "2", "from", "3", "initialised", "dropped"]
    assert next(line.split() for line in text if line.startswith("denoiser "))[1] == "1", "one bias"
    assert f"from 1: {stranger}" in text
    assert f"not taken: {stranger}: denoiser.conv_in.weight is of shape [7] instead of [16, 4, 3, 3]" in text


def test_what_no_file_gives_stays_as_the_system_made_it(small_spec: SystemSpec, stage_1: Path) -> None:
    torch.manual_seed(5)
    model = SystemModel(small_spec)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = start_from(model, [stage_1])
    fresh = {name for group in report.groups.values() for name in group.initialised}
    assert fresh == before.keys() - load_file(stage_1).keys()
    assert all(
        torch.equal(value, before[name]) for name, value in model.state_dict().items() if name in fresh
    )


def test_a_related_system_gives_what_fits(tmp_path: Path) -> None:
    """EMO2's tiny video model starts from the tiny CyberHost; two of its encoders are its own."""
    path, theirs = tmp_path / "tiny.safetensors", drawn(cyberhost.tiny(), seed=3).state_dict()
    save_file(theirs, path)
    model = SystemModel(emo2.tiny())
    report = start_from(model, [path])
    fresh = [name for group in report.groups.values() for name in group.initialised]
    assert sorted(fresh) == ["confidence_embedding.vectors.weight", "movement_encoder.conv_in.weight"]
    net = "reference_net.conv_in.weight"
    assert torch.equal(model.state_dict()[net], theirs[net])


def nothing_in_common(path: Path) -> None:
    save_file({"strange": torch.zeros(1), "denoiser.conv_in.weight": torch.zeros(7)}, path)


def no_file_of_weights(path: Path) -> None:
    path.write_bytes(b"torn")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (nothing_in_common, r"None of the weights in .*other\.safetensors has a name and a shape of"),
        (no_file_of_weights, r"other\.safetensors cannot be read as safetensors"),
    ],
)
def test_a_file_that_gives_nothing_is_refused_even_beside_others(
    write: Callable[[Path], None], said: str, small_spec: SystemSpec, stage_1: Path, tmp_path: Path
) -> None:
    write(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=said) as caught:
        start_from(SystemModel(small_spec), [stage_1, tmp_path / "other.safetensors"])
    assert "\n" not in str(caught.value)


def test_many_weights_of_other_shapes_are_counted_in_the_text(
    small_spec: SystemSpec, stage_1: Path, tmp_path: Path
) -> None:
    state: dict[str, Tensor] = load_file(stage_1)
    crooked = {name: torch.zeros(1, 2, 3) for name in state if ".resnets." in name}
    save_file({**state, **crooked}, tmp_path / "crooked.safetensors")
    report = start_from(SystemModel(small_spec), [tmp_path / "crooked.safetensors"])
    assert len(report.notes) == 6
    assert report.notes[-1] == f"not taken: {len(crooked) - 5} more of another shape"


# --- in a run


@pytest.fixture
def run(small_spec: SystemSpec, make_store: Callable, tmp_path: Path) -> Callable[..., list]:
    """Train the small system's video stage; gives what it told of its start."""
    store = make_store(small_spec).folder
    stage = StageConfig(name="video", frames=3, steps=2, precision="no", learning_rate=1e-3)
    recipe = Recipe(system=small_spec, image_system=basic_modules(small_spec), image=stage, video=stage)

    def run(out: str, *start: Path, until: int | None = None) -> list:
        told: list = []
        files = RunFiles(store=store, out=tmp_path / out, start=start)
        train_stage(recipe, stage, files, until=until, show=lambda *_: None, tell=told.append)
        return told

    return run


def test_a_run_starts_where_it_is_told_to_and_keeps_the_account(
    run: Callable, stage_1: Path, parents: Path, tmp_path: Path
) -> None:
    (report,) = run("out", stage_1, parents, until=1)
    assert json.loads((tmp_path / "out" / "start.json").read_text()) == report.as_json()
    state = load_file(tmp_path / "out" / "run.safetensors")
    for file, name in ((stage_1, "denoiser.conv_in.weight"), (parents, "audio_projection.linear.weight")):
        moved = (state[f"weights.model.{name}"] - load_file(file)[name].float()).abs()
        assert moved.max() < 0.002, "one step away at most"


def test_a_run_that_goes_on_ends_in_the_same_bits_and_does_not_start_again(
    run: Callable, stage_1: Path, parents: Path, tmp_path: Path
) -> None:
    run("straight", stage_1, parents)
    run("stopped", stage_1, parents, until=1)
    assert run("stopped", stage_1, parents) == []
    for name in ("run.safetensors", "model.safetensors"):
        expected, found = (load_file(tmp_path / out / name) for out in ("straight", "stopped"))
        assert expected.keys() == found.keys()
        assert all(torch.equal(value, found[key]) for key, value in expected.items())


def test_a_run_without_files_tells_nothing(run: Callable, tmp_path: Path) -> None:
    assert run("out", until=1) == []
    assert not (tmp_path / "out" / "start.json").exists()
