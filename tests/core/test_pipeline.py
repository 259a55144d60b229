"""The whole story on the bundled model: a portrait and a voice become a video."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cyberhost_core import bundled
from cyberhost_core.errors import Cancelled, CyberHostError, ImageError, PoseError
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.images import read_image
from cyberhost_core.media.video import read_frames
from cyberhost_core.pipeline.generate import GenerateOptions, generate

FAST = {"steps": 1, "reference_scale": 1.0, "audio_scale": 1.0}  # one pass, one step: everything but the wait


def speak(out: Path, *, secs: float = 0.6, portrait: np.ndarray | None = None, **options):
    sound = read_sound(bundled.speech()[0])
    cut = Sound(wave_CT=sound.wave_CT[:, : round(secs * sound.rate_hz)], rate_hz=sound.rate_hz, name="cut")
    hooks = {key: options.pop(key) for key in ("on_progress", "is_cancelled") if key in options}
    return generate(
        bundled.CHECKPOINT,
        image_YXC=read_image(bundled.portraits()[0]) if portrait is None else portrait,
        sound=cut,
        out_path=out,
        options=GenerateOptions(**(FAST | options)),
        **hooks,
    )


def test_the_video_has_as_many_frames_as_the_sound_needs(tmp_path: Path) -> None:
    report = speak(tmp_path / "a.mp4", secs=0.61)  # 15.25 frames
    assert report.frames == 16
    assert len(read_frames(tmp_path / "a.mp4")) == 16


def test_the_same_seed_gives_the_same_file_and_another_seed_others(tmp_path: Path) -> None:
    prints = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        speak(tmp_path / f"{name}.mp4", seed=seed)
        frames = read_frames(tmp_path / f"{name}.mp4")
        prints.append((hashlib.sha256(frames.tobytes()).hexdigest(), (tmp_path / f"{name}.mp4").read_bytes()))
    assert prints[0] == prints[1]
    assert prints[0][0] != prints[2][0]


def test_cancelling_leaves_no_file(tmp_path: Path) -> None:
    seen = []
    with pytest.raises(Cancelled):
        speak(tmp_path / "a.mp4", on_progress=seen.append, is_cancelled=lambda: len(seen) > 4)
    assert list(tmp_path.iterdir()) == []


def test_scale_enlarges_the_written_frames(tmp_path: Path) -> None:
    speak(tmp_path / "a.mp4", secs=0.5, scale=2)
    assert read_frames(tmp_path / "a.mp4").shape[1:] == (256, 192, 3)


def test_a_picture_of_noise_is_refused_with_a_sentence(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 96, 3), dtype=np.uint8)
    with pytest.raises((ImageError, PoseError), match=r"puppets|person"):
        speak(tmp_path / "a.mp4", portrait=noise)
    assert list(tmp_path.iterdir()) == []


def test_a_photograph_of_a_person_is_refused_with_a_sentence_that_says_what_to_use(tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data")
    with pytest.raises(CyberHostError, match="puppets"):
        speak(tmp_path / "a.mp4", portrait=data.astronaut())


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Peak memory of a process that makes 24 s stays within 5 % of one that makes 6 s."""
    peaks = []
    for secs in (6, 24):
        script = (
            "import sys; from pathlib import Path; import numpy as np, torch; torch.set_num_threads(1)\n"
            "from cyberhost_core import bundled; from cyberhost_core.media.audio import Sound\n"
            "from cyberhost_core.media.images import read_image\n"
            "from cyberhost_core.pipeline.generate import *\n"
            f"wave = np.random.default_rng(0).normal(0, 0.1, (1, 16000 * {secs})).astype(np.float32)\n"
            "options = GenerateOptions(steps=1, reference_scale=1.0, audio_scale=1.0)\n"
            "report = generate(bundled.CHECKPOINT, image_YXC=read_image(bundled.portraits()[0]),\n"
            "    sound=Sound(wave_CT=wave, rate_hz=16000, name='noise'), out_path=Path(sys.argv[1]),\n"
            "    options=options)\n"
            "import json; print(json.dumps(report.peak_memory_mb))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / f"{secs}.mp4")], capture_output=True, check=True
        )
        peaks.append(json.loads(done.stdout))
    assert peaks[1] <= peaks[0] * 1.05
