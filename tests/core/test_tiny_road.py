"""Every command with which docs/training.md makes the tiny models, as it stands there, in one go and small.

The three that train outside networks are left out: their results are bundled, and tests/core/test_twins.py
trains them.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cyberhost_core import bundled
from cyberhost_core.checkpoints.file import open_checkpoint
from cyberhost_core.media.video import read_frames

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "training.md"
BUNDLED = {
    "work/speech": bundled.CHECKPOINT,
    "work/face.onnx": bundled.FACE_NETWORK,
    "portrait.png": bundled.portraits()[0],
    "voice.wav": bundled.speech()[0],
}
OUTSIDE = ("train speech", "train face", "train pose")
ONE_CLIP = [
    "--set",
    "{stage}.sampling.clips=1",
    "--set",
    "{stage}.workers=0",
    "--set",
    "{stage}.precision=no",
]
SMALL = {
    "prepare clips": ["--count", "2"],
    "prepare gestures": ["--count", "2"],
    "train vae": ["--steps", "1"],
    "train image": ["--steps", "1", *ONE_CLIP],
    "train video": ["--steps", "1", *ONE_CLIP],
    "train gestures": ["--steps", "1", "--set", "loop.workers=0"],
    "train pose-discriminator": ["--steps", "1"],
    "prepare generated": ["--clips", "2", "--steps", "1"],
    "train classifiers": ["--steps", "1", "--set", "sampling.pairs=1", "--set", "loop.workers=0"],
    "generate portrait.png": ["--steps", "3", "-q"],
}
AS_PRINTED = {"prepare store", "train pack", "evaluate classifiers"}


def printed(section: str) -> list[list[str]]:
    """Give the commands of a section's first block of code, each as its words."""
    text = DOCS.read_text(encoding="utf-8").split(f"\n## {section}\n")[1]
    block = re.split(r"```\n", text)[1].replace("\\\n", " ")
    return [shlex.split(line)[1:] for line in block.splitlines() if line.startswith("cyberhost ")]


def run(words: list[str]) -> None:
    """Run a command as it is typed: in a process of its own, in the folder that the test is in."""
    small = [word.format(stage=words[1]) for word in SMALL.get(" ".join(words[:2]), [])]
    given = [str(BUNDLED.get(word, word)) for word in words] + small
    told = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "cyberhost_core.cli", *given], env=told, capture_output=True, text=True
    )
    assert done.returncode == 0, (given, done.stderr[-2000:])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_the_printed_commands_make_all_tiny_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [
        words
        for section in ("The tiny CyberHost", "The tiny EMO2", "Classifiers of parts")
        for words in printed(section)
    ]
    verbs = [" ".join(words[:2]) for words in commands]
    assert set(SMALL) | AS_PRINTED == set(verbs) - set(OUTSIDE), "all of them, and no other"
    for words in commands:
        if " ".join(words[:2]) not in OUTSIDE:
            run(words)
    assert open_checkpoint(Path("tiny.safetensors")).spec.name == "cyberhost-tiny"
    assert open_checkpoint(Path("tiny-emo2.safetensors")).spec.name == "emo2-tiny"
    assert open_checkpoint(Path("tiny-paha.safetensors")).spec.name == "paha-tiny"
    assert len(read_frames(Path("talk.mp4"))) > 12, "guided by the classifiers beside the checkpoint"
    for checkpoint in ("tiny.safetensors", "tiny-emo2.safetensors"):
        out = Path(checkpoint).with_suffix(".mp4")
        run(["generate", "portrait.png", "voice.wav", "-o", str(out), "-c", checkpoint, "--steps", "1"])
        assert len(read_frames(out)) > 12
