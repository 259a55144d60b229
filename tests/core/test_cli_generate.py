"""The commands that make a video: options arrive, bad input ends in one sentence, Ctrl-C leaves nothing."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.cli.main import CANCELLED, FAULT, OK, UNUSABLE, main
from cyberhost_core.errors import Cancelled, CheckpointError
from cyberhost_core.hands.conventions import Conventions
from cyberhost_core.media.images import read_image, save_png
from cyberhost_core.media.video import VideoWriter, read_frames
from cyberhost_core.pipeline.options import Driving, GenerateOptions, Networks

PORTRAIT = np.full((64, 48, 3), 90, np.uint8)
SECS = 0.4


def wav_bytes(wave_T: np.ndarray, *, promised_secs: float | None = None) -> bytes:
    body = (wave_T * 32767).astype("<i2").tobytes()
    size = len(body) if promised_secs is None else int(promised_secs * 32_000)
    form = struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + form + b"data" + struct.pack("<I", size) + body
    )


def tone(secs: float = SECS) -> np.ndarray:
    return 0.4 * np.sin(np.arange(round(16_000 * secs)) / 10)


@pytest.fixture
def files(tmp_path: Path) -> SimpleNamespace:
    image, audio = tmp_path / "me.png", tmp_path / "talk.wav"
    save_png(image, PORTRAIT)
    audio.write_bytes(wav_bytes(tone()))
    return SimpleNamespace(image=str(image), audio=str(audio), out=tmp_path / "me.mp4", folder=tmp_path)


@dataclass(frozen=True, kw_only=True)
class FakeReport:
    path: Path
    frames: int
    seconds: float = 1.0
    seconds_per_frame: float = 0.1
    peak_memory_mb: float = 300.0


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Stand in for the core: grey frames of the right number, and a record of what it was called with."""
    seen = SimpleNamespace(calls=[], before_frames=lambda _is_cancelled: None)

    def generate(checkpoint_path: Path, **given: Any) -> FakeReport:
        seen.calls.append({"checkpoint_path": checkpoint_path, **given})
        fps = given["options"].fps or 25.0
        frames = given["sound"].frames(fps)
        height, width, _ = given["image_YXC"].shape
        with VideoWriter(given["out_path"], fps=fps, height=height, width=width) as writer:
            for done in range(frames):
                seen.before_frames(given["is_cancelled"])
                writer.write(given["image_YXC"][None])
                given["on_progress"](SimpleNamespace(stage="denoise", done=done + 1, total=frames))
        return FakeReport(path=given["out_path"], frames=frames)

    fake = ModuleType("cyberhost_core.pipeline.generate")
    vars(fake).update(generate=generate)
    monkeypatch.setitem(sys.modules, "cyberhost_core.pipeline.generate", fake)
    weights = tmp_path / "tiny.safetensors"
    weights.write_bytes(b"weights")
    monkeypatch.setattr(bundled, "CHECKPOINT", weights)
    return seen


def test_every_option_reaches_the_core(files: SimpleNamespace, pipeline: SimpleNamespace) -> None:
    options = "--seed 7 --steps 9 --reference-scale 2 --audio-scale 6 --fps 30 --movement 0.4 0.25"
    more = "--hand-clarity 0.5 --region-weights 1 0.5 2 --sampler ddim --size 512 768 --scale 2"
    hands = (
        "--hands hands.json --video clip.mp4 --when-short loop --amplitude 1.5 0.5 --style singing "
        "--gestures g.safetensors"
    )
    outside = "--pose-detector pose.onnx --face-network face.onnx --clip-vision clip --vae sd.st"
    told = f"{options} {more} {hands} {outside} --checkpoint full.st --device cpu --dtype bf16".split()
    assert main(["generate", files.image, files.audio, "-o", str(files.out), *told]) == OK
    (call,) = pipeline.calls
    driving = Driving(
        movement=(0.4, 0.25), track=Path("hands.json"), video=Path("clip.mp4"), when_short="loop",
        gestures=Path("g.safetensors"), amplitude=(1.5, 0.5), style="singing",
    )  # fmt: skip
    assert call["options"] == GenerateOptions(
        seed=7, steps=9, reference_scale=2, audio_scale=6, fps=30, driving=driving, hand_clarity=0.5,
        region_weights=(1, 0.5, 2), sampler="ddim", size=(768, 512), scale=2,
    )  # fmt: skip
    assert call["networks"] == Networks(
        pose_detector=Path("pose.onnx"), face_network=Path("face.onnx"), clip_vision=Path("clip"),
        vae=Path("sd.st"),
    )  # fmt: skip
    assert (call["device"], call["dtype"]) == (torch.device("cpu"), torch.bfloat16)
    assert call["checkpoint_path"] == Path("full.st")
    assert call["out_path"] == files.out
    np.testing.assert_array_equal(call["image_YXC"], PORTRAIT)


@pytest.mark.parametrize(
    ("told", "conventions"),
    [
        ("--hands-mean included", Conventions(hand_mean="included")),
        ("--hands-mean SMPLX.npz --hands-fps 30", Conventions(fps=30, hand_mean=Path("SMPLX.npz"))),
        ("--hands-handedness mirrored", Conventions(handedness="mirrored")),
    ],
)
def test_what_a_hand_file_leaves_open_reaches_the_core(
    files: SimpleNamespace, pipeline: SimpleNamespace, told: str, conventions: Conventions
) -> None:
    arguments = ["generate", files.image, files.audio, "-o", str(files.out), "--hands", "hands.npz"]
    assert main([*arguments, *told.split()]) == OK
    assert pipeline.calls[0]["options"].driving == Driving(track=Path("hands.npz"), conventions=conventions)


def test_without_choices_of_ones_own_the_core_gets_none(
    files: SimpleNamespace, pipeline: SimpleNamespace
) -> None:
    assert main(["generate", files.image, files.audio, "-o", str(files.out)]) == OK
    (call,) = pipeline.calls
    assert call["checkpoint_path"] == bundled.CHECKPOINT
    assert call["options"] == GenerateOptions()
    assert call["networks"] == Networks()


def test_without_a_device_of_ones_own_the_best_one_is_used_in_its_usual_precision(
    files: SimpleNamespace, pipeline: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert main(["generate", files.image, files.audio, "-o", str(files.out)]) == OK
    assert (pipeline.calls[0]["device"], pipeline.calls[0]["dtype"]) == (torch.device("cpu"), torch.float32)


def test_a_device_that_is_not_there_is_one_sentence(
    files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", files.image, files.audio, "-o", str(files.out), "--device", "cuda:77"]
    assert_refused(arguments, says="The device 'cuda:77' cannot be used", capsys=capsys)
    assert pipeline.calls == []


def test_a_sound_may_be_left_out(files: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core then takes the driving video's."""
    seen = []

    def animate(inputs: Any, **_: Any) -> FakeReport:
        seen.append(inputs)
        return FakeReport(path=inputs.out, frames=1)

    monkeypatch.setattr("cyberhost_core.cli.generate.animate", animate)
    assert main(["generate", files.image, "-o", str(files.out), "--video", "clip.mp4"]) == OK
    assert seen[0].sound is None


def test_help_says_for_every_option_which_systems_use_it_and_needs_no_torch() -> None:
    script = (
        "import sys; from cyberhost_core.cli.main import main; main(['generate', '--help']);"
        "assert 'torch' not in sys.modules"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    help_of = {
        option.split()[0]: " ".join(option.split()) for option in re.split(r"\n  (?:-\w, )?(?=--)", shown)[1:]
    }
    used = {
        "--hands": "CyberHost, EMO2, EchoMimicV2",
        "--video": "All but Hallo",
        "--movement": "CyberHost",
        "--hand-clarity": "CyberHost",
        "--gestures": "EMO2",
        "--amplitude": "EMO2",
        "--style": "EMO2",
        "--region-weights": "Hallo",
        "--face-network": "CyberHost, Hallo",
        "--clip-vision": "AnimateAnyone",
    }
    for option, systems in used.items():
        assert f"{systems}:" in help_of[option], option
    assert "\\b" not in shown


def test_json_is_the_only_thing_on_stdout(
    files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", files.image, files.audio, "-o", str(files.out), "--json"]) == OK
    report = json.loads(capsys.readouterr().out)
    assert report["path"] == str(files.out)
    assert report["frames"] == round(SECS * 25)


def test_the_demo_writes_a_video_and_a_sheet_and_ends_with_the_path(
    pipeline: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    files: SimpleNamespace,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bundled, "portraits", lambda: [Path(files.image)])
    monkeypatch.setattr(bundled, "speech", lambda: [Path(files.audio)])
    folder = files.folder / "new"
    assert main(["demo", "--out", str(folder), "--quiet"]) == OK
    assert sorted(path.name for path in folder.iterdir()) == ["demo.mp4", "demo.png"]
    assert len(read_frames(folder / "demo.mp4")) == round(SECS * 25)
    assert read_image(folder / "demo.png").shape[0] > 32
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "demo.mp4")


BAD_SOUNDS: dict[str, Callable[[], bytes]] = {
    "zero-length file": lambda: b"",
    "zero-length sound": lambda: wav_bytes(np.zeros(0)),
    "not audio": lambda: b"just some words\n" * 100,
    "5-hour header over one second": lambda: wav_bytes(tone(1.0), promised_secs=5 * 3600),
}


@pytest.mark.parametrize("kind", BAD_SOUNDS)
def test_a_bad_sound_is_one_sentence_and_no_output(
    kind: str, files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = files.folder / "bad.wav"
    bad.write_bytes(BAD_SOUNDS[kind]())
    assert_refused(["generate", files.image, str(bad), "-o", str(files.out)], says="bad.wav", capsys=capsys)
    assert not files.out.exists()
    assert pipeline.calls == []


def test_a_silent_sound_is_one_sentence_where_the_system_hears(
    files: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(files.audio).write_bytes(wav_bytes(np.zeros(16_000)))
    arguments = ["generate", files.image, files.audio, "-o", str(files.out)]
    assert_refused(arguments, says="talk.wav is silent", capsys=capsys)
    assert not files.out.exists()


def test_what_a_system_does_not_use_is_one_sentence(
    files: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ["--region-weights", "1", "1", "1"]
    arguments = ["generate", files.image, files.audio, "-o", str(files.out), *weights]
    assert_refused(arguments, says="(--region-weights) was given, but 'cyberhost-tiny'", capsys=capsys)
    assert not files.out.exists()


@pytest.mark.parametrize("content", [b"", b"just some words", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_a_bad_picture_is_one_sentence_and_no_output(
    content: bytes, files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = files.folder / "bad.png"
    bad.write_bytes(content)
    assert_refused(["generate", str(bad), files.audio, "-o", str(files.out)], says="bad.png", capsys=capsys)
    assert not files.out.exists()
    assert pipeline.calls == []


def test_missing_files_are_named(
    files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", str(files.out)]
    assert_refused(["generate", "gone.png", files.audio, *out], says="gone.png", capsys=capsys)
    assert_refused(["generate", files.image, "gone.wav", *out], says="gone.wav", capsys=capsys)


def test_an_unwritable_output_is_refused_before_any_work(
    files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in (f"{files.audio}/me.mp4", str(files.folder), str(files.folder / "me.avi")):
        assert_refused(["generate", files.image, files.audio, "-o", out], says="Cannot write", capsys=capsys)
    assert pipeline.calls == []


def test_what_the_core_refuses_is_one_sentence(
    files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_is_cancelled: object) -> None:
        raise CheckpointError("me.safetensors is cut short; download it again.")

    pipeline.before_frames = refuse
    arguments = ["generate", files.image, files.audio, "-o", str(files.out)]
    assert_refused(arguments, says="me.safetensors is cut short", capsys=capsys)
    assert not files.out.exists()


def test_a_device_that_is_too_small_is_one_sentence(
    files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def overflow(_is_cancelled: object) -> None:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    pipeline.before_frames = overflow
    arguments = ["generate", files.image, files.audio, "-o", str(files.out), "--device", "cpu"]
    assert_refused(arguments, says="does not fit into the memory of 'cpu'", capsys=capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate"],
        ["generate", "a", "b"],
        ["generate", "a", "b", "-o", "c.mp4", "--steps", "0"],
        ["generate", "a", "b", "-o", "c.mp4", "--hand-clarity", "1.5"],
        ["generate", "a", "b", "-o", "c.mp4", "--movement", "0.5", "1.5"],
        ["generate", "a", "b", "-o", "c.mp4", "--scale", "x"],
        ["generate", "a", "b", "-o", "c.mp4", "--size", "500", "512"],
        ["generate", "a", "b", "-o", "c.mp4", "--region-weights", "1", "-1", "1"],
        ["generate", "a", "b", "-o", "c.mp4", "--dtype", "int8"],
        ["sing"],
    ],
)
def test_wrong_usage_ends_with_2_and_no_traceback(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == UNUSABLE
    stderr = capsys.readouterr().err
    assert "Usage: cyberhost" in stderr
    assert "Traceback" not in stderr


def test_the_first_ctrl_c_lets_the_core_clean_up(
    files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupted(is_cancelled: Callable[[], bool]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        if is_cancelled():
            raise Cancelled("asked to stop")

    pipeline.before_frames = interrupted
    assert main(["generate", files.image, files.audio, "-o", str(files.out)]) == CANCELLED
    assert capsys.readouterr().err.splitlines()[-1] == "cyberhost: cancelled; no output was written."
    assert_only_inputs_left(files)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_ctrl_c_stops_at_once_and_leaves_nothing_either(
    files: SimpleNamespace, pipeline: SimpleNamespace
) -> None:
    pipeline.before_frames = lambda _is_cancelled: os.kill(os.getpid(), signal.SIGINT)
    assert main(["generate", files.image, files.audio, "-o", str(files.out)]) == CANCELLED
    assert_only_inputs_left(files)


def test_a_fault_of_the_program_shows_its_traceback_and_ends_with_1(
    files: SimpleNamespace, pipeline: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.before_frames = lambda _is_cancelled: {}["missing"]
    assert main(["generate", files.image, files.audio, "-o", str(files.out)]) == FAULT
    stderr = capsys.readouterr().err
    assert "Traceback" in stderr
    assert "please report" in stderr.splitlines()[-1]


def assert_refused(arguments: list[str], *, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == UNUSABLE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("cyberhost: ")
    assert captured.err.count("\n") == 1, "one line"
    assert says in captured.err


def assert_only_inputs_left(files: SimpleNamespace) -> None:
    assert sorted(path.name for path in files.folder.iterdir()) == ["me.png", "talk.wav", "tiny.safetensors"]


FOREIGN = struct.pack("<Q", 2) + b"{}"
TRUNCATED = struct.pack("<Q", 4000) + b'{"denoiser.conv_in.weight":{"dtype":"F32","shape":[4],"da'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.safetensors", b""),
        ("words.safetensors", b"just some words"),
        ("foreign.safetensors", FOREIGN),
        ("truncated.safetensors", TRUNCATED),
        ("pickle.ckpt", b"\x80\x02}q\x00."),
        ("gone.safetensors", None),
    ],
)
def test_a_bad_checkpoint_is_one_sentence_and_no_output(
    name: str, content: bytes | None, files: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = files.folder / name
    if content is not None:
        weights.write_bytes(content)
    arguments = ["generate", files.image, files.audio, "-o", str(files.out), "--checkpoint", str(weights)]
    assert_refused(arguments, says=name, capsys=capsys)
    assert not files.out.exists()


@pytest.mark.parametrize(
    ("name", "file"),
    [("tiny", "CHECKPOINT"), ("tiny-emo2", "HANDS_CHECKPOINT"), ("tiny-paha", "UNIFIED_CHECKPOINT")],
)
def test_bundled_weights_may_be_called_by_their_plain_name(
    name: str, file: str, files: SimpleNamespace, pipeline: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = files.folder / f"{name}.safetensors"
    there.write_bytes(b"weights")
    monkeypatch.setattr(bundled, file, there)
    monkeypatch.chdir(files.folder)
    assert main(["generate", files.image, files.audio, "-o", str(files.out), "-c", name]) == OK
    assert pipeline.calls[0]["checkpoint_path"] == there


@pytest.mark.parametrize("told", ["--amplitude -1 1", "--when-short never"])
def test_wrong_choices_for_hands_are_refused_before_anything_runs(
    told: str, files: SimpleNamespace, pipeline: SimpleNamespace
) -> None:
    assert main(["generate", files.image, files.audio, "-o", str(files.out), *told.split()]) != OK
    assert not pipeline.calls
