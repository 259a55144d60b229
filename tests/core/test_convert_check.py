"""`cyberhost convert check`: a table, and an exit code that says whether all cases passed."""

import json
from pathlib import Path

import pytest

from cyberhost_core.cli.main import FAULT, OK, UNUSABLE, main

from .test_peer_cases import NAMES, unpacked


def test_cases_that_agree_are_listed_and_the_exit_code_is_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unpacked(NAMES[0], tmp_path)
    (tmp_path / "notes.json").write_text('{"peer": "nobody"}', encoding="utf-8")
    assert main(["convert", "check", str(tmp_path)]) == OK
    said = capsys.readouterr().out
    assert f"{NAMES[0]}  " in said
    assert "notes" not in said, "a file of another form is no case"


def test_a_case_that_differs_and_one_that_is_damaged_fail_and_the_others_still_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = sorted(NAMES, key=lambda name: not name.startswith("echomimic"))[:3]
    good = unpacked(names[2], tmp_path)
    unpacked(names[0], tmp_path, audio_scale=2.0)  # a setting that its recording was not made with
    cut = unpacked(names[1], tmp_path).with_suffix(".safetensors")
    cut.write_bytes(cut.read_bytes()[:5000])
    assert main(["convert", "check", str(tmp_path), "--json"]) == FAULT
    rows = {row["case"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows[good.stem]["passes"]
    assert not rows[names[0]]["passes"]
    assert rows[names[0]]["output"] > 1e-3
    assert "cannot be read as safetensors" in rows[names[1]]["error"]


def test_a_folder_without_cases_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "check", str(tmp_path)]) == UNUSABLE
    assert "There is no recorded case in" in capsys.readouterr().err
