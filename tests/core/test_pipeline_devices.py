"""A whole video, from picture and sound to decoded frames, on any device and in any precision.

The system lies elsewhere (see another_device), pose, face and speech stay here: where the two meet, it fails.
"""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.images import read_image
from cyberhost_core.pipeline.options import Driving, GenerateOptions, Networks
from cyberhost_core.pipeline.talker import Talker

from .another_device import ELSEWHERE, another_device
from .public_models import CLIP, GESTURE, converted, networks

pytestmark = pytest.mark.slow  # a whole video each

HERE = torch.device("cpu")
# two scales: all three passes of guidance are run
ALL: dict[str, Any] = {"reference_scale": 1.5, "audio_scale": 2.0}
STORIES: dict[str, GenerateOptions] = {
    # more than the 10 frames kept of a segment, and than Hallo's 16: a second one, with motion frames
    "tiny": GenerateOptions(steps=1, driving=Driving(track=GESTURE), **ALL),
    "tiny-emo2": GenerateOptions(steps=1, driving=Driving(track=GESTURE), **ALL),
    "tiny-paha": GenerateOptions(steps=1, **ALL),
    "hallo": GenerateOptions(steps=1, size=(64, 64), fps=40, **ALL),
    # more than a window of 12 and of 24 frames
    "echomimic-v2": GenerateOptions(steps=2, size=(64, 64), fps=30, driving=Driving(track=GESTURE), **ALL),
    "animate-anyone": GenerateOptions(
        steps=1, size=(64, 64), fps=8, driving=Driving(video=CLIP), reference_scale=1.5
    ),
}


def weights(story: str) -> tuple[Path, Networks]:
    if story.startswith("tiny"):
        return bundled.checkpoint(Path(story)), Networks()
    return converted()[story], networks(story)


def a_word() -> Sound:
    sound = read_sound(bundled.speech()[0])
    return Sound(sound.wave_CT[:, : round(0.44 * sound.rate_hz)], sound.rate_hz, name="a word")


def decoded(story: str, *, device: torch.device = HERE, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """Run every stage and give the frames."""
    path, outside = weights(story)
    talker, options = Talker.load(path, networks=outside, device=device, dtype=dtype), STORIES[story]
    assert talker.device == device
    portrait = talker.portrait(read_image(bundled.portraits()[0]), options)
    reference = talker.reference(portrait)
    track = talker.track(None if story == "animate-anyone" else a_word(), portrait, options)
    pieces = talker.frames(reference, track, options, on_step=lambda _done, _steps: None)
    return np.concatenate(list(pieces))


@pytest.fixture(scope="module")
def here() -> Callable[[str], np.ndarray]:
    made: dict[str, np.ndarray] = {}

    def here(story: str) -> np.ndarray:
        if story not in made:
            made[story] = decoded(story)
        return made[story]

    return here


@pytest.mark.parametrize("story", STORIES)
def test_a_whole_video_is_the_same_on_another_device(
    story: str, here: Callable[[str], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no such device
    with another_device():
        frames = decoded(story, device=ELSEWHERE)
    assert np.abs(frames.astype(int) - here(story)).max() <= 1, "the same, but for the last bit"


def test_the_other_device_refuses_what_a_graphics_card_would() -> None:
    with another_device():
        away, near = torch.ones(3, device=ELSEWHERE), torch.ones(3)
        assert (away + 1).device == ELSEWHERE
        assert (away + away).cpu().tolist() == [2, 2, 2]
        assert (away.to("cpu") + near).device == HERE
        with pytest.raises(RuntimeError, match="one device"):
            _ = away + near
        with pytest.raises(RuntimeError, match="one device"):
            torch.nn.functional.linear(near[None], away[None])


@pytest.mark.parametrize(
    ("story", "dtype"),
    [
        ("tiny", torch.bfloat16),
        ("hallo", torch.bfloat16),
        ("hallo", torch.float16),
        ("echomimic-v2", torch.float16),
        ("animate-anyone", torch.bfloat16),
    ],
)
def test_half_precision_gives_nearly_the_same_frames(
    story: str, dtype: torch.dtype, here: Callable[[str], np.ndarray]
) -> None:
    full, half = here(story).astype(int), decoded(story, dtype=dtype).astype(int)
    assert np.abs(half - full).mean() < 4
    assert full.std() > 4 * np.abs(half - full).mean(), "nearer to it than a grey picture"
