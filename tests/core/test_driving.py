"""What drives a video: a voice or a hand track become hands on the portrait, and what cannot is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cyberhost_core.errors import ConfigError, PoseError
from cyberhost_core.hands.drawing.motion_maps import MotionMaps
from cyberhost_core.hands.poses import pose_from_parameters
from cyberhost_core.hands.track import HandTrack, save_hand_track
from cyberhost_core.pipeline.driving import Driven, Driving, driving_maps
from cyberhost_core.puppets.gesture import HAND_LENGTH_FRAC
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import reference_portrait, render_video
from cyberhost_core.systems import cyberhost, emo2
from cyberhost_core.types import Pose

FRAMES = 12


@pytest.fixture(scope="module")
def portrait() -> Pose:
    return reference_portrait(1_000_001)[1]


@pytest.fixture(scope="module")
def acted() -> HandTrack:
    """A puppet's own hands, exact."""
    video = render_video(
        1_000_001, utterance=bundled_utterances("train")[0], performance_seed=3, frames=FRAMES
    )
    hands = video.hands.parameters(
        size_frac=HAND_LENGTH_FRAC * video.identity.hand_size, fps=25.0, source="puppet"
    )
    return HandTrack(video.pose, 25.0, "puppet", hands)


@pytest.fixture
def drive(portrait: Pose, tmp_path: Path) -> Callable[..., Driven]:
    def drive(
        track: HandTrack, *, frames: int = FRAMES, fps: float = 25.0, when_short: str = "error"
    ) -> Driven:
        path = tmp_path / "hands.safetensors"
        save_hand_track(path, track)
        return driving_maps(
            emo2.tiny(),
            portrait,
            Driving(track=path, when_short=when_short),
            audio_FD=torch.zeros(frames, 384),
            fps=fps,
            seed=0,
        )

    return drive


def test_a_track_of_the_same_person_lands_where_it_was(drive: Callable, acted: HandTrack) -> None:
    driven = drive(acted)
    assert isinstance(driven.maps_FCYX, MotionMaps)
    found = pose_from_parameters(driven.maps_FCYX.hands, height=128, width=96)
    # Fitted by the shoulders, whose middle sways by a few pixels: one shift for the whole track at most.
    shift = found.left_hand_FKC[..., :2] - acted.pose.left_hand_FKC[..., :2]
    assert np.abs(shift - shift.mean(axis=(0, 1))).max() < 1.0
    assert np.abs(shift).max() < 8
    assert (driven.confidence_F2.numpy() == np.float32([0.94, 0.94])).all()


def test_a_track_that_ends_too_early_holds_loops_or_is_refused(drive: Callable, acted: HandTrack) -> None:
    with pytest.raises(PoseError, match=r"has 12 frames .* but 20 were expected; take a longer track, or"):
        drive(acted, frames=20)
    held = drive(acted, frames=20, when_short="hold last").maps_FCYX.hands
    looped = drive(acted, frames=20, when_short="loop").maps_FCYX.hands
    assert len(held) == len(looped) == 20
    assert np.array_equal(held.vectors_FD[11], held.vectors_FD[19])
    assert not np.array_equal(looped.vectors_FD[11], looped.vectors_FD[19])


def test_a_track_of_another_rate_keeps_its_time(drive: Callable, acted: HandTrack) -> None:
    whole = drive(acted).maps_FCYX.hands
    twice = drive(acted, frames=23, fps=50.0).maps_FCYX.hands
    np.testing.assert_allclose(twice.translations()[::2][:11], whole.translations()[:11], atol=0.02)


def test_keypoints_alone_are_fitted(drive: Callable, acted: HandTrack) -> None:
    exact = drive(acted).maps_FCYX.hands
    fitted = drive(HandTrack(acted.pose, 25.0, "video")).maps_FCYX.hands
    ours, theirs = (pose_from_parameters(hands, height=128, width=96) for hands in (fitted, exact))
    off = np.linalg.norm(ours.right_hand_FKC[..., :2] - theirs.right_hand_FKC[..., :2], axis=-1)
    assert off.mean() < 1.0


def test_hands_for_a_system_that_is_driven_by_a_box_are_refused(portrait: Pose) -> None:
    with pytest.raises(ConfigError, match=r"driven by a movement box; leave the track out, or take weights"):
        driving_maps(
            cyberhost.tiny(),
            portrait,
            Driving(track=Path("hands.json")),
            audio_FD=torch.zeros(3, 384),
            fps=25.0,
            seed=0,
        )
