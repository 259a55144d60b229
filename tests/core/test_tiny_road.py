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
BUNDLED = {"work/speech": bundled.CHECKPOINT, "work/face.onnx": bundled.FACE_NETWORK}
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
}


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
def test_the_printed_commands_make_both_tiny_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cyberhost, emo2 = printed("The tiny CyberHost"), printed("The tiny EMO2")
    verbs = [" ".join(words[:2]) for words in (*cyberhost, *emo2)]
    assert set(SMALL) | {"prepare store", "train pack"} == set(verbs) - set(OUTSIDE), (
        "all of them, and no other"
    )
    for words in (*cyberhost, *emo2):
        if " ".join(words[:2]) not in OUTSIDE:
            run(words)
    assert open_checkpoint(Path("tiny.safetensors")).spec.name == "cyberhost-tiny"
    assert open_checkpoint(Path("tiny-emo2.safetensors")).spec.name == "emo2-tiny"
    portrait, voice = str(bundled.portraits()[0]), str(bundled.speech()[0])
    for checkpoint in ("tiny.safetensors", "tiny-emo2.safetensors"):
        out = Path(checkpoint).with_suffix(".mp4")
        run(["generate", portrait, voice, "-o", str(out), "-c", checkpoint, "--steps", "1", "-q"])
        assert len(read_frames(out)) > 12
