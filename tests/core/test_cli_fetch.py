"""`cyberhost fetch`: a list without a request, licences before the first byte, a model in one step."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cyberhost_core.checkpoints.catalogue import OFFERS, Offer
from cyberhost_core.checkpoints.file import load_checkpoint, open_checkpoint
from cyberhost_core.checkpoints.peers import KINDS
from cyberhost_core.cli.main import CANCELLED, OK, UNUSABLE, main

from .small_hub import COMMIT, SmallHub

ROOT = Path(__file__).parents[2]


class Terminal(io.StringIO):
    """Stands in for a keyboard on which these lines are typed."""

    def isatty(self) -> bool:
        return True


def fetch(name: str, folder: Path, *options: str) -> int:
    return main(["fetch", name, "--to", str(folder), "--accept-licence", *options])


def usable(offer: Offer, folder: Path) -> list[Path]:
    return [path for download in offer.beside for path in download.placed(folder)]


def test_the_list_says_what_there_is_and_asks_nobody(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "animate-anyone.safetensors").touch()
    for path in usable(OFFERS["animate-anyone"], tmp_path):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert main(["fetch", "--to", str(tmp_path)]) == OK
    listed = capsys.readouterr().out
    for name, offer in OFFERS.items():
        (line,) = [line for line in listed.splitlines() if line.startswith(f"{name}: {offer.purpose}; ")]
        assert line.endswith("; is there" if name == "animate-anyone" else "; not there")
        assert all(f"{download.page}, " in listed for download in offer.downloads)
        assert all(f"licence: {download.licence}" in listed for download in offer.downloads)
    assert "echomimic-v2: half body that speaks and gestures; 6.56 GB; not there" in listed
    assert "talking head; more than 1.11 GB" in listed
    assert hub.asked == []


def test_the_catalogue_says_what_the_converter_and_the_page_of_public_models_say() -> None:
    page = (ROOT / "docs" / "public-models.md").read_text(encoding="utf-8")
    assert {offer.kind for offer in OFFERS.values()} == KINDS.keys()
    for offer in OFFERS.values():
        assert offer.network.page == KINDS[offer.kind].weights
        for download in offer.downloads:
            (rows,) = ["".join(line for line in page.splitlines() if download.page in line)]
            assert all(Path(name).name in rows or download.folder in rows for name in download.files), rows
            assert download.licence.partition(" ")[0].strip(";") in rows


@pytest.mark.parametrize("name", OFFERS)
def test_a_model_is_there_in_one_step(
    name: str, hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, offer = tmp_path / "models" / "cyberhost", OFFERS[name]
    assert fetch(name, folder) == OK
    out = folder / f"{name}.safetensors"
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == f"{out}: {out.stat().st_size / 1e6:.3g} MB"
    assert all(f"{path}: " in said.out for path in usable(offer, folder))
    left = {path for path in folder.rglob("*") if path.is_file()}
    assert left == {out, *usable(offer, folder)}, "raw files are gone"

    made = load_checkpoint(out)
    assert made.spec.name == offer.system
    assert made.vae is not None
    assert (made.audio_encoder is None) == (offer.audio_encoder is None)
    assert (made.spec.schedule.steps == 6) == offer.accelerated
    for download in offer.beside:
        for file, path in zip(download.files, download.placed(folder), strict=True):
            assert path.read_bytes() == hub.repositories[download.repository][file]

    before = list(hub.asked)
    assert main(["fetch", name, "--to", str(folder)]) == OK, "nothing to fetch, so nothing to accept"
    assert hub.asked == before
    assert capsys.readouterr().out == said.out


@pytest.mark.slow
def test_hf_endpoint_is_where_it_is_fetched_from(hub: SmallHub, tmp_path: Path) -> None:
    surroundings = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "cyberhost_core.cli", "fetch", "animate-anyone", "--accept-licence"]
    run = subprocess.run(
        command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode == OK, run.stderr
    assert run.stdout.startswith("animate-anyone.safetensors: ")
    assert open_checkpoint(tmp_path / "animate-anyone.safetensors").spec.name == "animate-anyone"


def test_raw_files_stay_if_asked(hub: SmallHub, tmp_path: Path) -> None:
    assert fetch("animate-anyone", tmp_path, "--keep-raw") == OK
    raw = tmp_path / "animate-anyone.download" / "patrolli--AnimateAnyone"
    files = hub.repositories["patrolli/AnimateAnyone"]
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == files
    (tmp_path / "animate-anyone.safetensors").unlink()
    sent = hub.sent.copy()
    assert fetch("animate-anyone", tmp_path) == OK
    assert hub.sent == sent, "they are taken the next time"


def test_what_other_programs_fetched_already_is_copied_from_their_cache(
    hub: SmallHub, tmp_path: Path
) -> None:
    repository = tmp_path / "cache" / "models--patrolli--AnimateAnyone"
    cached = repository / "snapshots" / COMMIT / "denoising_unet.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(hub.repositories["patrolli/AnimateAnyone"][cached.name])
    assert fetch("animate-anyone", tmp_path) == OK
    assert hub.sent[cached.name] == 0
    assert cached.exists()


def test_without_a_terminal_licences_are_accepted_by_the_option_alone(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert main(["fetch", "hallo", "--to", str(tmp_path)]) == UNUSABLE
    said = capsys.readouterr().err
    assert "non-commercial research only" in said
    assert said.splitlines()[-1].startswith("cyberhost: Nothing was fetched: the licences of hallo ")
    assert "--accept-licence" in said
    assert hub.asked == []
    assert not (tmp_path / "hallo.download").exists()


@pytest.mark.parametrize(("typed", "code"), [("n\n", UNUSABLE), ("\n", UNUSABLE), ("", CANCELLED)])
def test_licences_that_are_not_accepted_end_it(
    typed: str,
    code: int,
    hub: SmallHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert main(["fetch", "hallo", "--to", str(tmp_path)]) == code
    assert "Do you accept these licences? [y/N]" in capsys.readouterr().err
    assert hub.asked == []


def test_licences_that_are_accepted_start_it(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert main(["fetch", "animate-anyone", "--to", str(tmp_path)]) == OK
    assert (tmp_path / "animate-anyone.safetensors").exists()


def test_only_models_of_the_list_are_fetched(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch("emo2", tmp_path) == UNUSABLE
    assert "There is no model 'emo2' to fetch; choose one of: echomimic-v2, " in capsys.readouterr().err
    assert hub.asked == []


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert fetch("hallo", tmp_path) == UNUSABLE
    assert "pip install 'cyberhost[fetch]'" in capsys.readouterr().err
