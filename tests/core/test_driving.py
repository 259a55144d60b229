"""What drives a video: hands and bodies land on the portrait, and what has no effect is refused."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cyberhost_core.conditioners.asks import CONFIDENCE, MAP, Ask
from cyberhost_core.conditioners.drawn_maps import DrawnMaps
from cyberhost_core.controls.hand_drawing import draw_peer_hands
from cyberhost_core.controls.skeleton_map import draw_hands_on, draw_skeleton
from cyberhost_core.errors import ConfigError, PoseError
from cyberhost_core.hands.alignment import align_track
from cyberhost_core.hands.drawing.motion_maps import MotionMaps
from cyberhost_core.hands.poses import pose_from_parameters
from cyberhost_core.hands.track import HandTrack, load_hand_track, save_hand_track
from cyberhost_core.media.video import VideoWriter
from cyberhost_core.pipeline.driving import Scene, drawn
from cyberhost_core.pipeline.options import Driving
from cyberhost_core.pipeline.portrait import Portrait
from cyberhost_core.puppets.gesture import HAND_LENGTH_FRAC
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import reference_portrait, render_video
from cyberhost_core.systems import cyberhost, emo2
from cyberhost_core.systems.published import published
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.types import Pose

from .foreign_hands import FLAT, KnownHands, apart_deg, known_hands, smplx_arrays, written

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


def scene(portrait: Pose, spec: SystemSpec, *, frames: int = FRAMES, fps: float = 25.0, **chosen) -> Scene:
    """What a map is drawn from, on a portrait whose person is known."""

    def nobody_looks(_pictures: np.ndarray) -> Pose:
        raise AssertionError("the pose is known")

    picture = np.zeros((portrait.height, portrait.width, 3), dtype=np.uint8)
    shown = Portrait(picture_YXC=picture, find=lambda _picture: portrait)
    find, notice = chosen.pop("find", nobody_looks), chosen.pop("notice", None)
    return Scene(
        system=spec.name,
        maps=spec.listed(DrawnMaps)[0],
        portrait=shown,
        find=find,
        driving=Driving(**chosen),
        audio_FD=torch.zeros(frames, 384),
        fps=fps,
        seed=0,
        notice=notice,
    )


@pytest.fixture
def drive(portrait: Pose, tmp_path: Path) -> Callable[..., Mapping[Ask, Any]]:
    """Let a track drive EMO2."""

    def drive(track: HandTrack, **chosen: Any) -> Mapping[Ask, Any]:
        path = tmp_path / "hands.safetensors"
        save_hand_track(path, track)
        usual: dict[str, Any] = {"when_short": "error"}
        return drawn(scene(portrait, emo2.tiny(), track=path, **(usual | chosen)))

    return drive


def test_a_track_of_the_same_person_lands_where_it_was(drive: Callable, acted: HandTrack) -> None:
    driven = drive(acted)
    assert isinstance(driven[MAP], MotionMaps)
    found = pose_from_parameters(driven[MAP].hands, height=128, width=96)
    # Fitted by the shoulders, whose middle sways by a few pixels: one shift for the whole track at most.
    shift = found.left_hand_FKC[..., :2] - acted.pose.left_hand_FKC[..., :2]
    assert np.abs(shift - shift.mean(axis=(0, 1))).max() < 1.0
    assert np.abs(shift).max() < 8
    assert (driven[CONFIDENCE] == 1).all()


def test_a_track_that_ends_too_early_holds_loops_or_is_refused(drive: Callable, acted: HandTrack) -> None:
    with pytest.raises(PoseError, match=r"has 12 frames .* but 20 were expected; take a longer track, or"):
        drive(acted, frames=20)
    held = drive(acted, frames=20, when_short="hold last")[MAP].hands
    looped = drive(acted, frames=20, when_short="loop")[MAP].hands
    assert len(held) == len(looped) == 20
    assert np.array_equal(held.vectors_FD[11], held.vectors_FD[19])
    assert not np.array_equal(looped.vectors_FD[11], looped.vectors_FD[19])


def test_a_track_of_another_rate_keeps_its_time(drive: Callable, acted: HandTrack) -> None:
    whole = drive(acted)[MAP].hands
    twice = drive(acted, frames=23, fps=50.0)[MAP].hands
    np.testing.assert_allclose(twice.translations()[::2][:11], whole.translations()[:11], atol=0.02)


def test_keypoints_alone_are_fitted(drive: Callable, acted: HandTrack) -> None:
    exact = drive(acted)[MAP].hands
    fitted = drive(HandTrack(acted.pose, 25.0, "video"))[MAP].hands
    ours, theirs = (pose_from_parameters(hands, height=128, width=96) for hands in (fitted, exact))
    off = np.linalg.norm(ours.right_hand_FKC[..., :2] - theirs.right_hand_FKC[..., :2], axis=-1)
    assert off.mean() < 1.0


def test_one_hand_from_the_voice_is_the_only_one_drawn_and_what_was_not_trained_is_said(
    portrait: Pose,
) -> None:
    said: list[str] = []
    told = {"one_hand": "right", "style": "dance", "notice": said.append}
    driven = drawn(scene(portrait, emo2.tiny(), **told))
    assert driven[CONFIDENCE].tolist() == [[0.0, 1.0]] * FRAMES
    maps = driven[MAP][torch.arange(FRAMES)]
    assert not maps[:, 0].any(), "red is the left hand"
    assert maps[:, 1].flatten(1).any(dim=1).all(), "green is the right one, in every frame"
    style, hand = said
    assert "never saw the style 'dance'" in style and "left one is left out" in hand
    said.clear()
    drawn(scene(portrait, emo2.tiny(), notice=said.append))
    assert said == []


def test_on_a_movement_map_hands_are_drawn_over_the_box(
    portrait: Pose, acted: HandTrack, tmp_path: Path
) -> None:
    path = tmp_path / "hands.json"
    save_hand_track(path, acted)
    box = drawn(scene(portrait, cyberhost.tiny()))[MAP]
    maps = drawn(scene(portrait, cyberhost.tiny(), track=path))[MAP]
    assert box.shape == (1, 3, 128, 96)
    assert len(maps) == FRAMES
    frames = maps[torch.arange(FRAMES)]
    is_box = box[0].amin(dim=0) == 1
    changed = (frames - box).abs().amax(dim=1) > 0.05
    assert changed.flatten(1).any(dim=1).all(), "hands in every frame"
    assert float(changed[:, is_box].float().mean()) < 0.5, "the box is still there"
    fitted = align_track(load_hand_track(path), portrait).pose
    torch.testing.assert_close(frames, draw_hands_on(box[0], fitted))


# Hands from elsewhere


@pytest.fixture
def spoken(tmp_path: Path) -> tuple[KnownHands, Path]:
    """What a generator of gestures writes, at 30 frames per second."""
    hands = known_hands(FRAMES)
    return hands, written(tmp_path, smplx_arrays(hands))


def test_hands_of_a_generated_body_drive_emo2_turned_as_they_were(portrait: Pose, spoken) -> None:
    hands, path = spoken
    driven = drawn(scene(portrait, emo2.tiny(), fps=30, track=path, conventions=FLAT))
    made = driven[MAP].hands
    assert apart_deg(hands.turns_FHJ33, made.matrices()).max() < 0.05
    assert (driven[CONFIDENCE] == 1).all()
    maps = driven[MAP][torch.arange(FRAMES)].numpy()
    places = (made.translations()[..., :2] * (portrait.width, portrait.height)).astype(int)
    for hand in (0, 1):  # red, green: each hand's surface lies over its wrist
        shown = maps[np.arange(FRAMES), hand, places[:, hand, 1], places[:, hand, 0]]
        assert (shown > 0).mean() > 0.9
    assert (maps[:, 3:].max(axis=(1, 2, 3)) > 0).all(), "arms come along"


def test_hands_of_a_generated_body_land_on_the_portraits_shoulders(portrait: Pose, spoken) -> None:
    _, path = spoken
    limbs = drawn(scene(portrait, emo2.tiny(), fps=30, track=path, conventions=FLAT))[MAP].limbs
    shoulders, wanted = np.median(limbs.body_FKC[:, [2, 5], :2], axis=0), portrait.body_FKC[0, [2, 5], :2]
    width = np.linalg.norm(wanted[1] - wanted[0])
    np.testing.assert_allclose(shoulders, wanted, atol=0.15 * width)


def test_hands_of_a_generated_body_drive_echomimic_v2(portrait: Pose, spoken) -> None:
    _, path = spoken
    maps = drawn(scene(portrait, published("echomimic-v2"), fps=30, track=path, conventions=FLAT))[MAP]
    fitted = align_track(load_hand_track(path, FLAT), portrait).pose
    torch.testing.assert_close(maps[torch.arange(FRAMES)], draw_peer_hands(fitted))
    for hand_FKC in (fitted.left_hand_FKC, fitted.right_hand_FKC):
        at = hand_FKC[..., :2].astype(int)
        inside = ((at > 0) & (at < (portrait.width, portrait.height))).all(axis=-1)
        frame = np.nonzero(inside)[0]
        x, y = at[inside].T
        assert inside.mean() > 0.8
        assert (maps[torch.arange(FRAMES)].amax(dim=1).numpy()[frame, y, x] > 0).mean() > 0.95


def test_a_generated_body_is_brought_to_the_videos_rate(portrait: Pose, spoken) -> None:
    _, path = spoken
    chosen = {"track": path, "conventions": FLAT, "when_short": "error"}
    assert len(drawn(scene(portrait, emo2.tiny(), frames=10, fps=25, **chosen))[MAP]) == 10  # 0.4 s
    with pytest.raises(PoseError, match=r"has 10 frames .* but 12 were expected"):
        drawn(scene(portrait, emo2.tiny(), frames=12, fps=25, **chosen))


def test_a_video_is_followed_with_the_whole_body_fitted_to_the_portrait(
    portrait: Pose, acted: HandTrack, tmp_path: Path
) -> None:
    """A clip whose person stands elsewhere, half as large, gives the same skeletons."""
    clip = written_clip(tmp_path / "clip.mp4", frames=FRAMES)
    smaller = replace(
        acted.pose,
        **{
            name: getattr(acted.pose, name) * (0.5, 0.5, 1) + np.array((7, 20, 0), np.float32)
            for name in ("body_FKC", "face_FKC", "left_hand_FKC", "right_hand_FKC")
        },
    )
    found = [following(pose) for pose in (acted.pose, smaller)]
    maps = [drawn(scene(portrait, cyberhost.tiny(), video=clip, find=find))[MAP] for find in found]
    one, two = (made[torch.arange(FRAMES)] for made in maps)
    assert (one - two).abs().mean() < 0.01
    torch.testing.assert_close(one, draw_skeleton(align_track(acted, portrait).pose), atol=1e-4, rtol=0)


def test_skeletons_of_a_video_alone_stay_where_the_video_shows_them(
    portrait: Pose, acted: HandTrack, tmp_path: Path
) -> None:
    """AnimateAnyone, at the rate that is asked for: from 25 to 12.5 frames per second."""
    clip = written_clip(tmp_path / "clip.mp4", frames=FRAMES)
    spec = published("animate-anyone")
    find = following(acted.pose)
    maps = drawn(scene(portrait, spec, video=clip, find=find))[MAP]
    torch.testing.assert_close(maps[torch.arange(FRAMES)], draw_skeleton(acted.pose))
    halved = drawn(scene(portrait, spec, video=clip, find=following(acted.pose), fps=12.5))[MAP]
    assert len(halved) == FRAMES // 2


def test_a_track_is_fitted_before_it_is_cut(portrait: Pose, acted: HandTrack, tmp_path: Path) -> None:
    """As Align Hands does: one scale and shift from the whole track, however much of it is used."""
    path = tmp_path / "hands.json"
    save_hand_track(path, acted)
    few = drawn(scene(portrait, cyberhost.tiny(), track=path, frames=3))[MAP]
    assert len(few) == 3
    np.testing.assert_allclose(
        few.pose.left_hand_FKC, align_track(load_hand_track(path), portrait).pose.left_hand_FKC[:3]
    )


@pytest.mark.parametrize(
    ("spec", "chosen", "says"),
    [
        (emo2.tiny(), {"movement": (0.2, 0.1)}, r"movement box \(--movement\) was given, but 'emo2-tiny' is"),
        (cyberhost.tiny(), {"amplitude": (1.0, 1.0)}, r"amplitude of gestures \(--amplitude\) was given"),
        (cyberhost.tiny(), {"track": Path("a"), "video": Path("b")}, r"was given beside a driving video"),
        (cyberhost.tiny(), {"movement": (0.2, 0.1), "video": Path("b")}, r"was given beside a driving video"),
        (emo2.tiny(), {"track": Path("a"), "style": "dance"}, r"was given beside a hand track"),
        (emo2.tiny(), {"track": Path("a"), "one_hand": "left"}, r"\(--one-hand\) was given beside a hand"),
        (cyberhost.tiny(), {"one_hand": "left"}, r"One hand alone \(--one-hand\) was given, but 'cyberhost-"),
        (
            cyberhost.tiny(),
            {"conventions": FLAT},
            r"leaves open .* was told, but no hand track",
        ),
        (cyberhost.tiny(), {"when_short": "loop"}, r"neither a hand track nor a video drives"),
    ],
)
def test_what_has_no_effect_is_refused(portrait: Pose, spec: SystemSpec, chosen: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        drawn(scene(portrait, spec, **chosen))


def written_clip(path: Path, *, frames: int) -> Path:
    """A black clip, whose pictures nobody looks at."""
    with VideoWriter(path, fps=25, height=128, width=96) as writer:
        writer.write(np.zeros((frames, 128, 96, 3), dtype=np.uint8))
    return path


def following(pose: Pose) -> Callable[[np.ndarray], Pose]:
    """Find the next frames of a pose, as many as there are pictures."""
    seen = 0

    def find(pictures_FYXC: np.ndarray) -> Pose:
        nonlocal seen
        seen += len(pictures_FYXC)
        return pose[seen - len(pictures_FYXC) : seen]

    return find
