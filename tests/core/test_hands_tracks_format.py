import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyberhost_core.errors import MediaError, PoseError
from cyberhost_core.hands.alignment import align_track, fit_track
from cyberhost_core.hands.track import (
    HandTrack,
    at_fps,
    hand_tracks,
    load_hand_track,
    save_hand_track,
    with_length,
)
from cyberhost_core.types import Pose

HAND = np.array(
    [(0, 0), *((x, y) for x in (-8, -4, 0, 4, 8) for y in (-10, -14, -17, -19))], dtype=np.float32
)


def pose(frames: int = 5, *, height: int = 128, width: int = 96) -> Pose:
    """A person whose hands move to the right by 2 px per frame, each hand around its wrist."""
    made = Pose.from_packed(np.zeros((frames, 128, 3), dtype=np.float32), height=height, width=width)
    made.body_FKC[:, [1, 2, 5]] = [(48, 66, 1), (30, 68, 1), (66, 68, 1)]
    for hand, wrist in ((made.left_hand_FKC, (70, 105)), (made.right_hand_FKC, (24, 108))):
        hand[..., :2] = HAND + wrist
        hand[..., 0] += 2 * np.arange(frames)[:, None]
        hand[..., 2] = 1
    return made


def moved(of: Pose, *, scale: float, shift: tuple[float, float], height: int = 600, width: int = 800) -> Pose:
    packed = of.packed_FKC().copy()
    packed[..., :2] = packed[..., :2] * scale + shift
    return Pose.from_packed(packed, height=height, width=width)


def without_body(of: Pose) -> Pose:
    packed = of.packed_FKC().copy()
    packed[:, :18] = 0
    return Pose.from_packed(packed, height=of.height, width=of.width)


def written(folder: Path, **changes: Any) -> Path:
    """A file of two frames with some keys replaced; None removes a key."""
    hand = [[1.0, 2.0, 1.0]] * 21
    content = {
        "format": "cyberhost-hand-track-1",
        "fps": 25,
        "canvas": [96, 128],
        "source": "a test",
        "frames": [{"left": hand, "right": None}, {"left": hand}],
    } | changes
    path = folder / "track.json"
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return path


def test_a_track_that_was_moved_and_scaled_is_brought_back_by_its_shoulders() -> None:
    track = HandTrack(moved(pose(), scale=3.7, shift=(-40, 90)), fps=25, source="a test")
    back = align_track(track, pose(1))
    np.testing.assert_allclose(back.pose.left_hand_FKC, pose().left_hand_FKC, atol=1e-3)
    np.testing.assert_allclose(back.pose.right_hand_FKC, pose().right_hand_FKC, atol=1e-3)
    assert (back.pose.height, back.pose.width) == (128, 96)


def test_without_a_body_the_hands_themselves_bring_a_track_back() -> None:
    track = HandTrack(without_body(moved(pose(), scale=0.4, shift=(11, -7))), fps=25, source="a test")
    middle = pose()[2:3]  # the median frame of the steady movement
    back = align_track(track, without_body(middle))
    np.testing.assert_allclose(back.pose.left_hand_FKC, pose().left_hand_FKC, atol=1e-3)
    np.testing.assert_allclose(back.pose.right_hand_FKC, pose().right_hand_FKC, atol=1e-3)


def test_one_hand_in_common_is_enough() -> None:
    reference = without_body(pose()[2:3])
    reference.right_hand_FKC[:] = 0
    track = HandTrack(moved(pose(), scale=2, shift=(5, 5)), fps=25, source="a test")
    back = align_track(track, reference)
    np.testing.assert_allclose(back.pose.right_hand_FKC, pose().right_hand_FKC, atol=1e-3)


def test_one_frame_with_wrong_shoulders_changes_nothing() -> None:
    wrong = pose()
    wrong.body_FKC[3, 2, :2] = (-500, 900)
    assert fit_track(wrong, pose(1)).scale == pytest.approx(1, abs=1e-5)


def test_the_users_scale_turns_about_the_neck_and_the_offset_adds() -> None:
    track = HandTrack(pose(), fps=25, source="a test")
    larger = align_track(track, pose(1), scale=2, offset_px=(10, -4))
    wrist = larger.pose.left_hand_FKC[0, 0, :2]
    np.testing.assert_allclose(wrist, (48 + 2 * (70 - 48) + 10, 68 + 2 * (105 - 68) - 4), atol=1e-3)


def test_nothing_in_common_is_said() -> None:
    reference = pose(1)
    reference.left_hand_FKC[:] = reference.right_hand_FKC[:] = 0
    track = HandTrack(without_body(pose()), fps=25, source="a test")
    with pytest.raises(PoseError, match="nor a hand in common"):
        align_track(track, reference)


def test_a_saved_track_reads_back(tmp_path: Path) -> None:
    original = pose()
    original.right_hand_FKC[2] = 0
    original.left_hand_FKC[1, 4] = (12.344, 56.789, 0.5)
    save_hand_track(tmp_path / "new" / "a.json", HandTrack(original, fps=29.97, source="a film"))
    back = load_hand_track(tmp_path / "new" / "a.json")
    np.testing.assert_allclose(back.pose.left_hand_FKC, original.left_hand_FKC, atol=0.006)
    np.testing.assert_allclose(back.pose.body_FKC, original.body_FKC, atol=0.006)
    assert not back.pose.right_hand_FKC[2].any()
    assert (back.pose.height, back.pose.width, back.fps, back.source) == (128, 96, 29.97, "a film")


def test_parts_may_be_null_or_left_out(tmp_path: Path) -> None:
    track = load_hand_track(written(tmp_path))
    assert len(track) == 2
    assert not track.pose.right_hand_FKC.any()
    assert not track.pose.body_FKC.any()
    assert track.pose.left_hand_FKC[1, 7].tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "openpose"}, "its format is 'openpose'"),
        ({"format": None}, "its format is None"),
        ({"fps": 0}, "has the rate 0"),
        ({"fps": "fast"}, "has the rate 'fast'"),
        ({"fps": float("nan")}, "has the rate nan"),
        ({"canvas": [96]}, r"has the canvas \[96\]"),
        ({"canvas": [96.5, 128]}, "has the canvas"),
        ({"frames": []}, "holds no list of frames"),
        ({"frames": [{"left": [[1, 2, 1]] * 20}]}, r"frame 0, 'left', has the shape \[20, 3\]"),
        ({"frames": [{"left": [[1, 2]] * 21}]}, r"has the shape \[21, 2\]"),
        ({"frames": [{"right": [[1, 2, "x"]] * 21}]}, "something else than rows of numbers"),
        ({"frames": [{"body": [[1, 2, float("nan")]] * 18}]}, "values that are not numbers"),
        ({"frames": [7]}, "has the shape"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_its_fault(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MediaError, match=message):
        load_hand_track(written(tmp_path, **changes))


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "track.json"
    path.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(MediaError, match="cannot be read as JSON"):
        load_hand_track(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no hand track file"):
        load_hand_track(tmp_path / "gone.json")


def test_a_track_without_any_hand_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseError, match="shows no hand"):
        load_hand_track(written(tmp_path, frames=[{"left": None}, {"right": [[1, 2, 0]] * 21}]))


@pytest.mark.parametrize(("fps", "frames"), [(25.0, 40), (12.5, 20), (50.0, 80), (30.0, 48)])
def test_at_another_rate_a_steady_movement_stays_steady(fps: float, frames: int) -> None:
    track = at_fps(HandTrack(pose(40), fps=25, source="a test"), fps)
    assert len(track) == frames
    seconds = (np.arange(frames) + 0.5) / fps
    expected = 70 + 2 * np.clip(seconds * 25 - 0.5, 0, 39)
    np.testing.assert_allclose(track.pose.left_hand_FKC[:, 0, 0], expected, atol=1e-3)


def test_a_hand_that_appears_does_not_come_flying_from_the_corner() -> None:
    appearing = pose(4)
    appearing.left_hand_FKC[:2] = 0
    track = at_fps(HandTrack(appearing, fps=25, source="a test"), 60)
    wrist = track.pose.left_hand_FKC[:, 0]
    seen = wrist[:, 2] > 0
    assert 0 < seen.sum() < len(track)
    assert wrist[seen, 0].min() >= 70


def test_a_track_is_cut_or_its_last_frame_held() -> None:
    track = HandTrack(pose(5), fps=25, source="a test")
    assert with_length(track, 3).pose.left_hand_FKC[:, 0, 0].tolist() == [70, 72, 74]
    assert with_length(track, 7).pose.left_hand_FKC[:, 0, 0].tolist() == [70, 72, 74, 76, 78, 78, 78]


def test_the_bundled_track_shows_both_hands_in_every_frame_and_moves() -> None:
    (path,) = hand_tracks()
    track = load_hand_track(path)
    assert (len(track), track.fps, track.pose.width, track.pose.height) == (112, 25, 96, 128)
    for hand in (track.pose.left_hand_FKC, track.pose.right_hand_FKC):
        assert (hand[..., 2] == 1).all()
        assert np.ptp(hand[:, 0, :2], axis=0).max() > 8
    assert path.stat().st_size < 200_000
