"""`cyberhost prepare | train | evaluate gestures`: from a voice to a report, and what is refused."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cyberhost_core import bundled
from cyberhost_core.checkpoints.gestures import load_gestures
from cyberhost_core.checkpoints.parts import load_speech
from cyberhost_core.cli.main import OK, UNUSABLE, main
from cyberhost_core.data.gesture_store import (
    GestureClip,
    GestureClips,
    GestureIndex,
    write_gesture_clip,
    write_gesture_index,
)
from cyberhost_core.exams.gestures.gesture_exam import GestureExam, examine_gestures
from cyberhost_core.gesture.model import Learnt
from cyberhost_core.hands.limbs import limbs_of
from cyberhost_core.perception.speech import SpeechFeatures
from cyberhost_core.puppets.gesture_clips import puppet_hands, puppet_utterance, resting_offset
from cyberhost_core.puppets.identity import random_identity
from cyberhost_core.puppets.performance import random_performance
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import render_performance
from cyberhost_core.training.gestures.recipes import SHIPPED, read_gesture_recipe
from cyberhost_core.training.recipes.entries import shipped_names

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two puppets that gesture to bundled voices, with features of noise."""
    folder, rng = tmp_path / "store", np.random.default_rng(0)
    for number in range(2):
        parameters = puppet_hands(
            bundled_utterances("train")[number],
            performance=random_performance(number),
            identity=random_identity(number),
        )
        audio_FD = rng.standard_normal((len(parameters), 7)).astype(np.float16)
        write_gesture_clip(folder, str(number), GestureClip(parameters=parameters, audio_FD=audio_FD))
    write_gesture_index(folder, GestureIndex(fps=25.0, audio_dim=7, ids=("0", "1")))
    return folder


@needs_espeak
def test_prepared_clips_hold_puppets_and_what_they_hear(tmp_path: Path) -> None:
    out = tmp_path / "store"
    assert main(["prepare", "gestures", str(out), "--count", "2", "--quiet"]) == OK
    clips = GestureClips(out)
    assert len(clips) == 2
    utterance = puppet_utterance(1)
    assert len(clips[1]) == int(np.ceil(len(utterance.wave_T) * 25 / 16000))
    assert clips[1].audio_FD.shape == (len(clips[1]), clips.index.audio_dim)
    assert np.isfinite(clips[1].audio_FD.astype(np.float32)).all()


@needs_espeak
def test_a_preparation_that_was_killed_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "store"
    main(["prepare", "gestures", str(out), "--count", "1", "--quiet"])
    first = out / "clips" / "000000.safetensors"
    before = first.stat().st_mtime_ns
    main(["prepare", "gestures", str(out), "--count", "2", "--quiet"])
    assert first.stat().st_mtime_ns == before
    assert GestureClips(out).index.ids == ("000000", "000001")


def test_hands_without_pictures_are_those_of_the_drawn_puppet() -> None:
    utterance, identity = bundled_utterances("train")[0], random_identity(4)
    performance = random_performance(9)
    drawn = render_performance(identity, utterance=utterance, performance=performance, frames=8)
    hands = puppet_hands(utterance, performance=performance, identity=identity)[:8]
    np.testing.assert_allclose(hands.translations(), drawn.hands.translations, atol=1e-6)
    shoulders = drawn.pose.body_FKC[:, (5, 2), :2] / (96, 128)
    np.testing.assert_allclose(hands.offset_FD[:, [1, 2]], shoulders[:, 0], atol=1e-5)
    np.testing.assert_allclose(hands.offset_FD[:, [5, 6]], shoulders[:, 1], atol=1e-5)
    np.testing.assert_allclose(hands.limbs_FKC, limbs_of(drawn.pose), atol=1e-5)
    assert resting_offset(identity).shape == (1, 8)


@pytest.mark.slow
@pytest.mark.parametrize(("joints", "numbers"), [("hands", 134), ("keypoints", 164), ("arms", 146)])
def test_training_writes_a_model_and_goes_on(
    joints: str, numbers: int, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out, packed = tmp_path / "run", tmp_path / "packed.safetensors"
    command = ["train", "gestures", str(store), str(out), "--joints", joints, "--steps", "2"]
    assert main([*command, "--until", "1"]) == OK
    assert main([*command, "--pack", str(packed)]) == OK
    weights = Path(json.loads(capsys.readouterr().out.splitlines()[-1])["weights"])
    model = load_gestures(weights)
    assert (model.config.form, model.config.transformer.vector) == (joints, numbers)
    assert model.config.transformer.audio_dim == 7
    assert model.config.learnt == Learnt(styles=("speaking",), one_hand=True)
    assert load_gestures(packed).config == model.config
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2]


def test_what_cannot_be_trained_is_said(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "gestures", str(tmp_path), str(tmp_path / "run")]) == UNUSABLE
    assert "holds no gesture clips" in capsys.readouterr().err
    assert main(["train", "gestures", str(store), str(tmp_path / "run"), "--recipe", "huge"]) == UNUSABLE
    assert "no recipe 'huge'" in capsys.readouterr().err
    noise = ["train", "gestures", str(store), str(tmp_path / "run"), "--prediction", "epsilon"]
    assert main(noise) == UNUSABLE
    assert "a width of 128 cannot hold the noise of 134 numbers" in capsys.readouterr().err


def test_a_file_of_another_kind_is_not_examined(capsys: pytest.CaptureFixture) -> None:
    assert main(["evaluate", "gestures", "-c", str(bundled.CHECKPOINT), "--quiet"]) == UNUSABLE
    assert "holds no gesture model" in capsys.readouterr().err


def test_the_exam_measures_a_model_and_another_beside_it() -> None:
    """Few steps and voices: does everything run, and is every row there?"""
    pytest.importorskip("librosa")
    exam = GestureExam(voices=2, takes=2, steps=1, amplitudes=(0.03, 0.1), feature_steps=2)
    told: list[tuple[str, int, int]] = []
    speech = SpeechFeatures.from_state_dict(*load_speech(bundled.CHECKPOINT))
    report = examine_gestures(
        bundled.GESTURES,
        exam=exam,
        speech=speech,
        compare=bundled.GESTURES,
        say=lambda *said: told.append(said),
    )
    (section,) = report.sections
    rows = {row.name: row for row in section.rows}
    assert {"ba", "ba_over_time_shifted", "ba_over_other_sound", "div_ratio", "fgd"} <= set(rows)
    assert "amplitude_order" in rows
    for row in rows.values():
        assert row.value == row.compared, "the same model, the same seeds"
    assert len({rows["div"].value, rows["div"].truth}) == 2
    assert "hands (tiny-gestures.safetensors)" in report.to_text()
    generated = [(done, total) for stage, done, total in told if stage == "generate hands"]
    assert generated == [(done, 24) for done in range(1, 25)] * 2


@pytest.mark.slow
def test_what_a_model_says_that_it_learnt_follows_the_changes_of_its_recipe(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["train", "gestures", str(store), str(tmp_path / "run"), "--steps", "1"]
    assert main([*command, "--set", "sampling.hide_hand=0"]) == OK
    weights = Path(json.loads(capsys.readouterr().out.splitlines()[-1])["weights"])
    assert load_gestures(weights).config.learnt == Learnt(styles=("speaking",), one_hand=False)


def test_a_recipe_is_changed_by_a_file_and_by_the_command(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    read = partial(read_gesture_recipe, audio_dim=GestureClips(store).index.audio_dim, form="hands")
    tiny, file = read("tiny"), tmp_path / "mine.yaml"
    file.write_text("extends: tiny\nloop: {learning_rate: 5e-4}\nmodel: {transformer: {width: 64}}\n")
    mine = read(str(file), ["sampling.spans=3", "loop.workers=0"])
    assert mine.loop == tiny.loop.derive(learning_rate=5e-4, workers=0)
    assert mine.model.transformer == tiny.model.transformer.derive(width=64)
    assert (mine.sampling.spans, mine.loss) == (3, tiny.loss)
    whole = tmp_path / "whole.yaml"
    whole.write_text(mine.to_json())  # JSON is YAML
    assert read(str(whole)) == mine
    command = ["train", "gestures", str(store), str(tmp_path / "run"), "--recipe", str(file)]
    for change, said in (
        ("loop.steps=0", "--set loop.steps=0 cannot be used: loop.steps is 0, but should be greater than or"),
        (
            "loop.rate=1",
            "--set loop.rate=1 cannot be used: loop.rate is not known; known are steps, learning",
        ),
    ):
        assert main([*command, "--set", change]) == UNUSABLE
        assert said in capsys.readouterr().err
    file.write_text("extends: tiny\nloops: {}\n")
    assert main(command) == UNUSABLE
    assert f"The recipe {file} cannot be used: loops is not known; known are mod" in capsys.readouterr().err


def test_every_gesture_recipe_is_listed_printed_and_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["train", "recipe", "--gestures"]
    assert main(command) == OK
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["emo2", "tiny"]
    for name in shipped_names(SHIPPED):
        assert main([*command, name]) == OK
        file = tmp_path / f"{name}.yaml"
        file.write_text(capsys.readouterr().out)
        found = read_gesture_recipe(str(file), audio_dim=7, form="arms")
        assert found == read_gesture_recipe(name, audio_dim=7, form="arms")
        assert found.model.transformer.audio_dim == 7
    assert main([*command, "tiny", "--set", "loop.steps=5"]) == OK
    (tmp_path / "five.yaml").write_text(capsys.readouterr().out)
    assert read_gesture_recipe(str(tmp_path / "five.yaml"), audio_dim=7, form="hands").loop.steps == 5
    assert main([*command, "tiny", "--set", "loop.steps=0"]) == UNUSABLE
    assert "loop.steps is 0, but should be greater" in capsys.readouterr().err
    assert main([*command, "tiny", "--resolved"]) == UNUSABLE
    assert "what a recipe leaves out comes from the clips" in capsys.readouterr().err
