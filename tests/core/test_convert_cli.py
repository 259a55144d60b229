"""`cyberhost convert`: accounts on stdout, one sentence on stderr, exit codes, Ctrl-C leaves nothing."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from cyberhost_core.checkpoints import assemble as assembling
from cyberhost_core.checkpoints import peers
from cyberhost_core.checkpoints.file import load_checkpoint
from cyberhost_core.checkpoints.sources import Source
from cyberhost_core.cli.main import CANCELLED, OK, UNUSABLE, main
from cyberhost_core.systems.public import PEERS, PeerConfig

from .weight_files import parts_of, peer_shapes, random_weights, shrunk


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PUBLISHED", PeerConfig(norm_groups=8, motion_norm_groups=8))


@pytest.fixture
def download(tmp_path: Path) -> Callable[..., Path]:
    """The folder of a model, as its project ships it; `changes` are made to all weights first."""

    def download(kind: str, **changes: Tensor) -> Path:
        folder = tmp_path / "download"
        folder.mkdir()
        weights = random_weights(shrunk(peer_shapes(kind))) | changes
        maps = "pose_guider" if kind == "animate-anyone" else "pose_encoder"
        files = {"net": weights} if kind == "hallo" else parts_of(weights, maps=maps)
        for stem, part in files.items():
            torch.save(part, folder / f"{stem}.pth")
        return folder

    return download


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.safetensors"


@pytest.mark.parametrize("kind", PEERS)
def test_a_folder_becomes_a_checkpoint(
    kind: str, download: Callable, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", kind, str(download(kind)), str(out)]) == OK
    said = capsys.readouterr()
    table, last = said.out.splitlines()[:-1], said.out.splitlines()[-1]
    assert table[0].split() == ["part", "matched", "initialised", "dropped", "missing", "unexpected"]
    assert any(line.startswith("denoiser.motion_modules") for line in table)
    assert any(line.startswith("dropped: ") and "sinusoids, computed anew" in line for line in table)
    assert last == f"{out}: {out.stat().st_size / 1e6:,.0f} MB"
    assert load_checkpoint(out).spec.name == kind
    assert {value.dtype for value in load_file(out).values()} == {torch.float16}


def test_the_account_as_json_names_every_weight(
    download: Callable, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(map(str, download("animate-anyone").iterdir()))
    assert main(["convert", "animate-anyone", *files, str(out), "--json", "--dtype", "bf16"]) == OK
    report = json.loads(capsys.readouterr().out)
    assert report["out"] == str(out)
    assert report["bytes"] == out.stat().st_size
    matched = {name for group in report["groups"].values() for name in group["matched"]}
    stored = load_file(out)
    assert matched == stored.keys()
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}


def test_accelerated_is_said_in_the_checkpoint(download: Callable, out: Path) -> None:
    folder = download("echomimic-v2")
    for stem in ("denoising_unet", "motion_module"):
        (folder / f"{stem}.pth").rename(folder / f"{stem}_acc.pth")
    assert main(["convert", "echomimic-v2", str(folder), str(out), "--accelerated"]) == OK
    assert load_checkpoint(out).spec.schedule.steps == 6


def test_a_surprise_is_accounted_for_and_ends_in_one_sentence(
    download: Callable, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(download("hallo", **{"optimizer.step": torch.ones(1)}))
    assert main(["convert", "hallo", folder, str(out)]) == UNUSABLE
    said = capsys.readouterr()
    assert "unexpected 'net.pth: optimizer.step'" in said.out.splitlines()
    assert said.err.startswith("cyberhost: 1 weights of hallo are missing, unexpected or of another shape: ")
    assert said.err.count("\n") == 1
    assert not out.exists()
    assert main(["convert", "hallo", folder, str(out), "--json"]) == UNUSABLE
    assert json.loads(capsys.readouterr().out)["groups"]["other"]["unexpected"] == ["net.pth: optimizer.step"]
    assert main(["convert", "hallo", folder, str(out), "--drop", "optimizer."]) == OK


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hallo", "gone", "OUT"], "cannot be opened"),
        (["hallo", "OUT"], "Missing argument"),
        (["hallo", "gone", "OUT", "--dtype", "fp8"], "fp8"),
        (["animate-anyone", "gone", "OUT", "--audio-encoder", "x"], "--audio-encoder"),
        (["assemble", "OUT"], "--unet"),
        (["assemble", "--unet", "gone", "--motion", "gone", "OUT"], "There is no file or folder gone"),
        (
            ["assemble", "--unet", "a", "--motion", "b", "OUT", "--system", "emo2-tiny"],
            "no system 'emo2-tiny'",
        ),
    ],
)
def test_bad_commands_end_in_exit_code_2(
    arguments: list[str], said: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", *(str(out) if word == "OUT" else word for word in arguments)]) == UNUSABLE
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_conversion_leaves_nothing(
    number: int,
    download: Callable,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, read, count = download("hallo"), Source.read, [0]

    def read_and_stop(source: Source, name: str) -> Tensor:
        count[0] += 1
        if count[0] == 300:
            os.kill(os.getpid(), number)
        return read(source, name)

    monkeypatch.setattr(Source, "read", read_and_stop)
    assert main(["convert", "hallo", str(folder), str(out)]) == CANCELLED
    assert count[0] == 300, "it stops before the next tensor"
    assert capsys.readouterr().err.endswith("cyberhost: cancelled; no output was written.\n")
    assert [path.name for path in out.parent.iterdir()] == ["download"]


def test_assemble_takes_parents_and_gives_a_checkpoint(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {}

    def noted(*parents: Path, **options: object) -> object:
        told.update(options, parents=parents)
        return assembling.Report("the assembled system", out=str(out), bytes=2_000_000)

    monkeypatch.setattr(assembling, "assemble", noted)
    arguments = ["--unet", "sd", "--motion", "mm.ckpt", str(out), "--seed", "5", "--dtype", "fp32"]
    assert main(["convert", "assemble", *arguments]) == OK
    assert told["parents"] == (Path("sd"), Path("mm.ckpt"), out)
    assert (told["seed"], told["dtype"], told["spec"].name) == (5, torch.float32, "cyberhost")
    assert main(["convert", "assemble", *arguments, "--system", "emo2"]) == OK
    assert told["spec"].name == "emo2"
    assert capsys.readouterr().out.endswith(f"{out}: 2 MB\n")


def test_check_is_a_command_of_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--help"]) == OK
    listed = capsys.readouterr().out
    for command in (*PEERS, "assemble", "check"):
        assert f"  {command} " in listed
    assert main(["convert", "check", str(tmp_path)]) == UNUSABLE


def test_a_pickle_that_wants_code_is_refused(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Calls:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("code ran",)

    torch.save({"weight": Calls()}, tmp_path / "net.pth")
    assert main(["convert", "hallo", str(tmp_path / "net.pth"), str(out)]) == UNUSABLE
    said = capsys.readouterr()
    assert "could run code" in said.err
    assert "code ran" not in said.out + said.err.replace("could run code", "")
