"""Rendered clips and the store that is made of them."""

from pathlib import Path

import numpy as np
import pytest

from cyberhost_core.errors import CyberHostError
from cyberhost_core.puppets.clips import WeightedPictures, clip_files, read_clip, render_clip, render_clips
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import random_identity, random_performance, render_performance


def silent(_done: int, _total: int) -> None:
    pass


@pytest.fixture
def no_espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speak bundled sentences, so that the tests need no espeak-ng."""
    voices = bundled_utterances("train")
    monkeypatch.setattr(
        "cyberhost_core.puppets.clips.synthesize", lambda number, **_: voices[number % len(voices)]
    )


def test_a_clip_that_starts_later_is_the_later_part_of_the_whole() -> None:
    identity, performance, utterance = (
        random_identity(5),
        random_performance(5),
        bundled_utterances("train")[0],
    )
    whole = render_performance(identity, utterance=utterance, performance=performance, frames=30)
    part = render_performance(identity, utterance=utterance, performance=performance, frames=10, first=12)
    np.testing.assert_allclose(part.mouth.opening_F, whole.mouth.opening_F[12:22])
    np.testing.assert_allclose(part.pose.packed_FKC(), whole.pose.packed_FKC()[12:22], atol=1e-4)
    np.testing.assert_array_equal(part.wave_T, whole.wave_T[12 * 640 : 22 * 640])


@pytest.mark.usefixtures("no_espeak")
def test_clips_are_deterministic_and_survive_the_disk(tmp_path: Path) -> None:
    render_clips(tmp_path, [3, 4], split="train", say=silent, frames=6)
    again, read = render_clip(3, split="train", frames=6), read_clip(clip_files(tmp_path)[0])
    np.testing.assert_array_equal(read.frames_FYXC, again.frames_FYXC)
    assert read.first_frame == again.first_frame


@pytest.mark.usefixtures("no_espeak")
def test_pictures_weigh_hands_and_mouth_more_than_background(tmp_path: Path) -> None:
    render_clips(tmp_path, [0], split="train", say=silent, frames=2)
    pictures, weights = WeightedPictures(tmp_path, batch=4)(0)
    assert pictures.shape == (4, 3, 128, 96)
    assert float(pictures.abs().max()) <= 1
    assert float(weights.min()) == 1
    assert float(weights.max()) >= 1 + WeightedPictures.DETAIL


def test_a_folder_without_clips_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(CyberHostError, match="prepare clips"):
        clip_files(tmp_path)
