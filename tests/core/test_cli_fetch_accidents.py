"""`cyberhost fetch` when something goes wrong: one sentence, and what has come is kept for the next try."""

import io
import os
import shutil
import signal
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.checkpoints import hub as hub_files
from cyberhost_core.checkpoints import peers
from cyberhost_core.checkpoints.file import open_checkpoint
from cyberhost_core.cli.main import CANCELLED, OK, UNUSABLE, main

from .small_hub import SmallHub

REPOSITORY, NET = "fudan-generative-ai/hallo", "hallo/net.pth"
MEGABYTE = 1 << 20


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def fetched(models: Path, capsys: pytest.CaptureFixture[str]):
    """Fetch Hallo; gives the exit code and the last line of what was said."""

    def fetched() -> tuple[int, str]:
        code = main(["fetch", "hallo", "--to", str(models), "--accept-licence"])
        said = capsys.readouterr().err
        assert "Traceback" not in said
        return code, said.splitlines()[-1]

    return fetched


@pytest.fixture
def not_converted(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at what came instead of converting it, which takes seconds and is tried elsewhere."""

    def look(_kind: str, sources: list[Path], out: Path, **_options: object) -> None:
        assert sources[0].read_bytes() == hub.repositories[REPOSITORY][NET]
        shutil.copy(bundled.CHECKPOINT, out)

    monkeypatch.setattr(peers, "convert_peer", look)


def parts(models: Path) -> list[Path]:
    return list(models.rglob("*.part"))


def is_whole(models: Path) -> bool:
    return open_checkpoint(models / "hallo.safetensors").spec.name == "hallo" and not parts(models)


@pytest.mark.usefixtures("not_converted")
def test_a_line_that_breaks_is_taken_up_at_once(hub: SmallHub, models: Path, fetched) -> None:
    size = len(hub.repositories[REPOSITORY][NET])
    hub.cuts[NET] = [5 * MEGABYTE, 0, 7 * MEGABYTE]
    assert fetched()[0] == OK
    assert parts(models) == []
    assert (models / "hallo.safetensors").exists()
    first, again, *_, last = hub.ranges[NET]
    assert first is None
    assert again is not None and last is not None
    assert size <= hub.sent[NET] <= size + 2 * MEGABYTE, "only what was under way is sent twice"


def test_a_line_that_stays_broken_ends_it_and_the_next_try_goes_on(
    hub: SmallHub, models: Path, fetched
) -> None:
    size = len(hub.repositories[REPOSITORY][NET])
    hub.cuts[NET] = [5 * MEGABYTE] + [0] * 20
    code, said = fetched()
    assert code == UNUSABLE
    assert said.startswith("cyberhost: The line to the hub is broken, or there is none (")
    assert said.endswith("what was fetched is kept.")
    (part,) = parts(models)
    kept = part.stat().st_size
    assert kept >= 4 * MEGABYTE
    hub.cuts.clear()
    assert fetched()[0] == OK
    assert is_whole(models)
    assert hub.ranges[NET][-1] == f"bytes={kept}-"
    assert hub.sent[NET] == 5 * MEGABYTE + size - kept


def test_no_line_at_all(hub: SmallHub, models: Path, fetched) -> None:
    hub.close()
    code, said = fetched()
    assert code == UNUSABLE
    assert "The line to the hub is broken, or there is none (" in said
    assert not models.exists()


def test_a_page_to_log_in_is_no_hub(hub: SmallHub, models: Path, fetched) -> None:
    hub.status = 200
    code, said = fetched()
    assert (code, "or there is none (" in said) == (UNUSABLE, True)


def test_a_hub_that_is_ill(hub: SmallHub, models: Path, fetched) -> None:
    hub.status = 503
    code, said = fetched()
    assert code == UNUSABLE
    assert said.startswith("cyberhost: The hub answered 503 when asked for fudan-generative-ai/hallo; ")


@pytest.mark.usefixtures("not_converted")
@pytest.mark.parametrize(
    ("name", "repository"), [(NET, REPOSITORY), ("config.json", "facebook/wav2vec2-base-960h")]
)
def test_a_wrong_hash_is_removed_and_said(
    name: str, repository: str, hub: SmallHub, models: Path, fetched
) -> None:
    hub.damaged = {name}
    code, said = fetched()
    assert code == UNUSABLE
    assert said.startswith(f"cyberhost: {name} of {repository} has the hash ")
    assert "it was removed" in said
    assert parts(models) == [] and not list(models.rglob(Path(name).name))
    hub.damaged = set()
    assert fetched()[0] == OK


@pytest.mark.usefixtures("not_converted")
def test_a_gated_repository_names_its_page_and_the_token(
    hub: SmallHub, models: Path, monkeypatch: pytest.MonkeyPatch, fetched
) -> None:
    hub.gated = {REPOSITORY}
    code, said = fetched()
    assert code == UNUSABLE
    assert f"https://huggingface.co/{REPOSITORY}" in said and "HF_TOKEN" in said and "terms" in said
    assert sum(hub.sent.values()) == 0, "it is known before the first byte"
    monkeypatch.setenv("HF_TOKEN", "hf_given")
    assert fetched()[0] == OK
    assert "Bearer hf_given" in hub.tokens


def test_a_repository_that_is_gone(hub: SmallHub, models: Path, fetched) -> None:
    del hub.repositories[REPOSITORY]
    code, said = fetched()
    assert code == UNUSABLE
    assert said.startswith(f"cyberhost: The hub has no repository {REPOSITORY}, or does not show it to you")


def test_a_file_that_is_gone(hub: SmallHub, models: Path, fetched) -> None:
    del hub.repositories[REPOSITORY][NET]
    code, said = fetched()
    assert code == UNUSABLE
    assert said.startswith(f"cyberhost: The hub lists no file {NET} with size and hash in {REPOSITORY}; ")
    assert sum(hub.sent.values()) == 0


@pytest.mark.usefixtures("not_converted")
def test_too_little_room_is_known_before_the_first_byte(
    hub: SmallHub, models: Path, monkeypatch: pytest.MonkeyPatch, fetched
) -> None:
    usage = namedtuple("usage", "total used free")
    net, vae = NET, "vae-ft-mse-840000-ema-pruned.safetensors"
    files = {name: len(x) for each in hub.repositories.values() for name, x in each.items()}
    at_least = 2 * (files[net] + files[vae])
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, at_least))
    code, said = fetched()
    assert code == UNUSABLE
    assert said.startswith("cyberhost: Raw and converted files take 0.1 GB more, ")
    assert f", {models.parent} has 0.1 GB free; make room" in said
    assert sum(hub.sent.values()) == 0
    assert not models.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, at_least + MEGABYTE))
    assert fetched()[0] == OK


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_on_the_way(
    hub: SmallHub, models: Path, monkeypatch: pytest.MonkeyPatch, fetched
) -> None:
    part = hub_files.HubFile.part

    def on_a_full_disk(file: hub_files.HubFile, folder: Path) -> Path:
        path = part(file, folder)
        if file.name == NET and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to("/dev/full")
        return path

    monkeypatch.setattr(hub_files.HubFile, "part", on_a_full_disk)
    code, said = fetched()
    assert code == UNUSABLE
    assert said.startswith("cyberhost: The disk is full in the middle of net.pth.")
    assert said.endswith("what was fetched is kept.")


@pytest.mark.usefixtures("not_converted")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_download_is_kept(
    number: int, hub: SmallHub, models: Path, monkeypatch: pytest.MonkeyPatch, fetched
) -> None:
    write, count = hub_files._Part.write, [0]

    def write_and_stop(part: io.FileIO, chunk: bytes) -> int:
        count[0] += 1
        if count[0] == 4:
            os.kill(os.getpid(), number)
        return write(part, chunk)

    monkeypatch.setattr(hub_files._Part, "write", write_and_stop)
    code, said = fetched()
    assert code == CANCELLED
    where = models / "hallo.download"
    assert said == (
        f"cyberhost: stopped; what was fetched lies in {where}, and the same command goes on from there."
    )
    (part,) = parts(models)
    assert part.stat().st_size == 4 * MEGABYTE
    assert fetched()[0] == OK
    assert hub.ranges[NET] == [None, f"bytes={4 * MEGABYTE}-"]


def test_files_that_are_no_such_model_are_accounted_for_and_kept(
    hub: SmallHub, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = hub.repositories[REPOSITORY]
    weights = torch.load(io.BytesIO(files[NET]), weights_only=True) | {"optimizer.step": torch.ones(1)}
    changed = io.BytesIO()
    torch.save(weights, changed)
    files[NET] = changed.getvalue()
    assert main(["fetch", "hallo", "--to", str(models), "--accept-licence"]) == UNUSABLE
    said = capsys.readouterr()
    assert "unexpected 'net.pth: optimizer.step'" in said.out.splitlines()
    assert "are missing, unexpected or of another shape" in said.err
    assert not (models / "hallo.safetensors").exists()
    assert list(models.rglob("net.pth"))


def test_another_file_of_that_name_is_not_replaced(hub: SmallHub, models: Path, fetched) -> None:
    models.mkdir()
    (models / "hallo.safetensors").write_bytes(b"mine")
    assert fetched()[0] == UNUSABLE
    assert (models / "hallo.safetensors").read_bytes() == b"mine"
    shutil.copy(bundled.CHECKPOINT, models / "hallo.safetensors")
    code, said = fetched()
    assert (code, "holds cyberhost-tiny, where hallo was to be put" in said) == (UNUSABLE, True), said
    assert hub.asked == []


def test_a_folder_that_cannot_be_made(hub: SmallHub, models: Path, fetched) -> None:
    models.write_bytes(b"a file")
    code, said = fetched()
    assert (code, "cannot be written" in said) == (UNUSABLE, True)
