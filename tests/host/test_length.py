"""Memory does not follow the length: half a minute of video beside six seconds, each on a fresh server."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cyberhost_core.media.video import iter_frames

from .prompts import Prompt, node, segment
from .server import Client, Server, checkout
from .sounds import noise

pytestmark = pytest.mark.host

MOMENT_SECS, LONG_SECS, FPS = 6, 30, 25
MOST_GROWTH_MB = 45
RUN_SECS = 600


@dataclass(frozen=True)
class Memory:
    """What one run took of its server, in MiB: held before it started, and at most."""

    before_mb: float
    peak_mb: float

    def __str__(self) -> str:
        above = self.peak_mb - self.before_mb
        return f"{self.before_mb:6.0f} MB before, {self.peak_mb:6.0f} MB at most: {above:4.0f} MB for the run"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory that a process held")
def test_half_a_minute_takes_hardly_more_memory_than_six_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sound to file, one step, one guidance pass; on the newest version only, because it takes so long.

    Pictures held whole would show: 24 s of them are 88 MB as IMAGE. What may grow is the sound, its features
    and the latents, 12 kB per frame. Most of what a server holds it held before the run; that is told, too.
    """
    found = checkout("newest")
    if reason := found.missing():
        pytest.skip(reason)
    with Server(found, tmp_path / "long") as host:
        before_mb = host.server.memory_mb()
        started = start(host, noise(tmp_path / "long.wav", seconds=LONG_SECS))
        with Server(found, tmp_path / "moment") as moment:  # meanwhile: the machine has two cores
            short_before_mb = moment.server.memory_mb()
            finish(moment, start(moment, noise(tmp_path / "moment.wav", seconds=MOMENT_SECS)))
            short = Memory(short_before_mb, moment.server.memory_mb())
            assert frames(moment) == MOMENT_SECS * FPS
        finish(host, started)
        long = Memory(before_mb, host.server.memory_mb())
        assert frames(host) == LONG_SECS * FPS
    with capsys.disabled():
        sys.stdout.write(f"\n{MOMENT_SECS:2} s of video: {short}\n{LONG_SECS:2} s of video: {long}\n")
    assert long.peak_mb - short.peak_mb <= MOST_GROWTH_MB


def start(host: Client, sound: Path) -> str:
    return host.start(talking(host.upload(sound)))


def finish(host: Client, prompt_id: str) -> None:
    host.wait(prompt_id, seconds=RUN_SECS)


def talking(sound: str) -> Prompt:
    """The talking body from a sound file to a video file, with one step and one guidance pass."""
    prompt = segment(
        voice=node("LoadAudio", audio=sound),
        video=node(
            "CyberHostDecodeVideo",
            latent=["sample", 0],
            vae=["load", 2],
            fps=["features", 2],
            audio=["voice", 0],
            filename_prefix="length/video",
        ),
    )
    prompt["sample"]["inputs"] |= {"reference_scale": 1.0, "audio_scale": 1.0}
    return prompt


def frames(host: Client) -> int:
    (video,) = (host.server.folder / "temp" / "length").iterdir()
    return sum(len(piece_FYXC) for piece_FYXC in iter_frames(video))
