"""Hands that other programs wrote: their turns, places, rates and sides arrive, and bad files are named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyberhost_core.errors import ConfigError, CyberHostError, MediaError
from cyberhost_core.hands import npz_file
from cyberhost_core.hands.conventions import Conventions
from cyberhost_core.hands.parameters import HandParameters
from cyberhost_core.hands.poses import pose_from_parameters
from cyberhost_core.hands.track import HandTrack, at_fps, load_hand_track
from cyberhost_core.types import Pose

from .foreign_hands import (
    FLAT,
    OWN,
    KnownHands,
    apart_deg,
    known_hands,
    landmarks,
    mano_arrays,
    mediapipe_content,
    smplx_arrays,
    vectors,
    written,
)

CLOSE_DEG = 0.05  # the file's numbers are float32


def made_from(path: Path, told: Conventions = FLAT) -> HandParameters:
    made = load_hand_track(path, told).parameters
    assert made is not None
    return made


def resting(frames: int = 1) -> dict[str, Any]:
    return smplx_arrays(KnownHands(np.zeros((frames, 2, 3)), np.zeros((frames, 2, 15, 3)))) | {
        "poses": np.zeros((frames, 165))
    }


def turned(joint: int, vector_deg: tuple[float, float, float], frames: int = 1) -> dict[str, Any]:
    arrays = resting(frames)
    arrays["poses"][:, 3 * joint : 3 * joint + 3] = np.deg2rad(vector_deg)
    return arrays


# SMPL-X


def test_the_hands_of_a_body_are_those_it_was_given(tmp_path: Path) -> None:
    """Wrists through a swaying body's eight joints, fingers as they are, within a twentieth of a degree."""
    hands = known_hands()
    made = made_from(written(tmp_path, smplx_arrays(hands)))
    assert apart_deg(hands.turns_FHJ33, made.matrices()).max() < CLOSE_DEG
    rotations, _ = made.axis_angles()
    shorter = rotations[:, :, 1:]  # no finger turns by more than half a turn
    np.testing.assert_allclose(np.rad2deg(shorter), np.rad2deg(hands.fingers_FHJ3), atol=CLOSE_DEG)
    assert made.valid_FH.all()


def test_left_fingers_are_the_left_hands(tmp_path: Path) -> None:
    made = made_from(written(tmp_path, turned(25, (0, 0, -40))))
    bent = np.rad2deg(np.linalg.norm(vectors(made.matrices()[0]), axis=-1))
    assert bent[0, 1] == pytest.approx(40, abs=CLOSE_DEG), "the left index, the first finger"
    assert bent[1].max() < CLOSE_DEG, "the right hand rests"


def test_the_mean_pose_is_added_to_each_hand_where_a_model_file_is_told(tmp_path: Path) -> None:
    hands, means = known_hands(), np.random.default_rng(3).uniform(-0.3, 0.3, (2, 45))
    model = tmp_path / "SMPLX.npz"
    np.savez(model, hands_meanl=means[0], hands_meanr=means[1], shapedirs=np.zeros(3))
    given = smplx_arrays(replace(hands, fingers_FHJ3=hands.fingers_FHJ3 - means.reshape(2, 15, 3)))
    made = made_from(written(tmp_path, given), Conventions(hand_mean=model))
    assert apart_deg(hands.turns_FHJ33, made.matrices()).max() < CLOSE_DEG


def test_at_rest_the_arms_are_stretched_to_the_sides_the_left_to_the_pictures_right(tmp_path: Path) -> None:
    track = load_hand_track(written(tmp_path, resting()), FLAT)
    body, (left, right) = track.pose.body_FKC[0], (track.pose.left_hand_FKC[0], track.pose.right_hand_FKC[0])
    shoulders = body[5, 0] - body[2, 0]
    assert shoulders > 0
    assert (body[7, 0] - body[4, 0]) / shoulders == pytest.approx(0.461 / 0.129, rel=1e-3)  # Winter's arms
    np.testing.assert_allclose(body[[7, 4]], [left[0], right[0]], atol=1e-2)
    assert left[12, 0] - left[0, 0] == pytest.approx(0.21875 * 1024, rel=0.01), "fingers go on outwards"
    assert right[12, 0] - right[0, 0] == pytest.approx(-0.21875 * 1024, rel=0.01)
    np.testing.assert_allclose(body[[2, 3, 4, 5, 6, 7], 1], body[2, 1], atol=1e-2)


def test_a_bent_elbow_lifts_the_wrist_and_turns_the_hand(tmp_path: Path) -> None:
    """The left forearm up: the wrist above the elbow by a forearm, fingers up."""
    made = load_hand_track(written(tmp_path, turned(18, (0, 0, 90))), FLAT)
    body, hand = made.pose.body_FKC[0], made.pose.left_hand_FKC[0]
    upper = body[6, 0] - body[5, 0]
    np.testing.assert_allclose(body[7, :2] - body[6, :2], (0, -upper * 0.146 / 0.186), atol=0.1)
    assert hand[12, 1] < hand[0, 1] - 100 and abs(hand[12, 0] - hand[0, 0]) < 10
    np.testing.assert_allclose(
        body[4], load_hand_track(written(tmp_path, resting()), FLAT).pose.body_FKC[0, 4]
    )


def test_a_hand_before_the_body_is_nearer_to_the_viewer(tmp_path: Path) -> None:
    """Both arms stretched forward from the shoulders."""
    arrays = turned(16, (0, -90, 0))
    arrays["poses"][:, 51:54] = np.deg2rad((0, 90, 0))
    made = made_from(written(tmp_path, arrays))
    wanted = (0.186 + 0.146) / (0.108 / 0.21875)
    np.testing.assert_allclose(made.translations()[0, :, 2], wanted, atol=1e-4)


def test_the_body_moves_with_its_place_from_the_first_frame_on(tmp_path: Path) -> None:
    arrays = resting(2)
    arrays["trans"] = np.array(
        [(5.0, 1.0, -2.0), (5.17, 1.34, -2.0)]
    )  # a tenth and a fifth of a body's height
    made = made_from(written(tmp_path, arrays))
    first, second = made.translations()[:, 0]
    assert first[:2] == pytest.approx(made_from(written(tmp_path, resting())).translations()[0, 0, :2])
    picture = 0.108 / 0.21875
    assert second - first == pytest.approx((0.1 / picture * 1024 / 768, -0.2 / picture, 0), abs=1e-5)


def test_the_rate_is_the_files_unless_another_one_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, smplx_arrays(known_hands()))
    assert load_hand_track(path, FLAT).fps == 30
    assert load_hand_track(path, Conventions(fps=25, hand_mean="included")).fps == 25
    silent = written(tmp_path, smplx_arrays(known_hands()) | {"mocap_frame_rate": None})
    with pytest.raises(ConfigError, match=r"has the rate None, but frames per second above 0 were expected"):
        load_hand_track(silent, FLAT)


def test_at_another_rate_a_steady_turn_stays_steady(tmp_path: Path) -> None:
    """A finger that bends by 2 degrees per frame at 30 bends by 2.4 at 25."""
    arrays = resting(30)
    arrays["poses"][:, 77] = np.deg2rad(2 * np.arange(30))  # the left index, about z
    track = at_fps(load_hand_track(written(tmp_path, arrays), FLAT), 25)
    assert len(track) == 25 and track.parameters is not None
    bent = np.rad2deg(np.linalg.norm(vectors(track.parameters.matrices()[:, 0, 1]), axis=-1))
    np.testing.assert_allclose(np.diff(bent)[1:-1], 2.4, atol=CLOSE_DEG)


# MANO


@pytest.fixture
def seen() -> tuple[KnownHands, HandParameters, Pose]:
    """Known hands at known places, as long as 90 and 80 px of a picture of 480 x 640."""
    hands = known_hands(seed=5)
    places = np.random.default_rng(6).uniform(0.4, 0.6, (6, 2, 3))
    rotations = np.concatenate([hands.wrists_FH3[:, :, None], hands.fingers_FHJ3], axis=2)
    made = HandParameters.from_axis_angles(
        rotations, places, fps=25, source="a test", sizes_frac_FH=np.array([[90, 80]]) / 640
    )
    pose = pose_from_parameters(made, height=640, width=480)
    assert (pose.left_hand_FKC[..., 2] == 1).all() and (pose.right_hand_FKC[..., 2] == 1).all()
    return hands, made, pose


@pytest.mark.parametrize("mirrored", [False, True], ids=["own", "mirrored"])
@pytest.mark.parametrize("as_matrices", [False, True], ids=["vectors", "matrices"])
def test_hands_found_one_by_one_arrive_with_turns_places_and_sizes(
    tmp_path: Path, seen, as_matrices: bool, mirrored: bool
) -> None:
    """As WiLoR-mini tells them and as HaMeR does: a left hand as such, or as the right one in a mirror."""
    hands, wanted, pose = seen
    path = written(tmp_path, mano_arrays(hands, pose, as_matrices=as_matrices, mirrored=mirrored))
    told = Conventions(fps=25, hand_mean="included", handedness="mirrored" if mirrored else "own")
    track = load_hand_track(path, told)
    made = track.parameters
    assert made is not None
    assert apart_deg(hands.turns_FHJ33, made.matrices()).max() < CLOSE_DEG
    np.testing.assert_allclose(made.translations()[..., :2], wanted.translations()[..., :2], atol=1e-5)
    np.testing.assert_allclose(made.sizes_frac_FH, wanted.sizes_frac_FH, rtol=1e-4)
    np.testing.assert_allclose(track.pose.left_hand_FKC, pose.left_hand_FKC, atol=1e-3)
    np.testing.assert_allclose(track.pose.body_FKC[:, [7, 4]], pose.body_FKC[:, [7, 4]], atol=1e-3)


def test_the_mean_of_a_mirrored_left_hand_is_the_right_ones(tmp_path: Path, seen) -> None:
    hands, _, pose = seen
    means = np.random.default_rng(3).uniform(-0.3, 0.3, (2, 45))
    np.savez(tmp_path / "SMPLX.npz", hands_meanl=means[0], hands_meanr=means[1])
    arrays = mano_arrays(hands, pose, as_matrices=False, mirrored=True, fps=30)
    arrays["hand_pose"] = arrays["hand_pose"] - means[1].reshape(15, 3)
    told = Conventions(hand_mean=tmp_path / "SMPLX.npz", handedness="mirrored")
    track = load_hand_track(written(tmp_path, arrays), told)
    assert track.fps == 30 and track.parameters is not None
    assert apart_deg(hands.turns_FHJ33, track.parameters.matrices()).max() < CLOSE_DEG


def test_a_frame_without_a_row_shows_no_hand(tmp_path: Path, seen) -> None:
    hands, _, pose = seen
    arrays = mano_arrays(hands, pose, as_matrices=True, mirrored=False)
    kept = np.array([row for row in range(12) if row not in (4, 6, 7)])  # no left hand in 2, none in 3
    arrays = {key: value if key == "img_size" else value[kept] for key, value in arrays.items()}
    track = load_hand_track(written(tmp_path, arrays), OWN)
    assert track.parameters is not None
    assert (
        track.parameters.valid_FH.tolist()
        == [[True, True]] * 2 + [[False, True], [False, False]] + [[True, True]] * 2
    )
    assert not track.pose.left_hand_FKC[2:4].any() and not track.pose.right_hand_FKC[3].any()


def test_a_wrong_handedness_is_noticed_by_the_keypoints(tmp_path: Path, seen) -> None:
    hands, _, pose = seen
    path = written(tmp_path, mano_arrays(hands, pose, as_matrices=True, mirrored=True))
    with pytest.raises(
        MediaError, match=r"left hands of .* do not lead to their keypoints .*other handedness"
    ):
        load_hand_track(path, OWN)


# MediaPipe


@pytest.fixture
def talking(seen) -> Pose:
    return seen[2]


def told_side(handedness: Any) -> Conventions:
    return Conventions(handedness=handedness)


def test_landmarks_become_keypoints_with_the_score_of_their_hand(tmp_path: Path, talking: Pose) -> None:
    path = written(tmp_path, mediapipe_content(talking), "hands.json")
    track = load_hand_track(path, told_side("own"))
    assert (track.fps, track.pose.width, track.pose.height, track.parameters) == (30, 480, 640, None)
    np.testing.assert_allclose(track.pose.left_hand_FKC[..., :2], talking.left_hand_FKC[..., :2], atol=1e-3)
    assert np.unique(track.pose.left_hand_FKC[..., 2]) == pytest.approx([0.9])
    assert np.unique(track.pose.right_hand_FKC[..., 2]) == pytest.approx([0.8])
    np.testing.assert_allclose(track.pose.body_FKC[:, 7], track.pose.left_hand_FKC[:, 0])


def test_labels_of_a_mirrored_picture_change_sides(tmp_path: Path, talking: Pose) -> None:
    path = written(tmp_path, mediapipe_content(talking), "hands.json")
    own, other = (load_hand_track(path, told_side(side)).pose for side in ("own", "mirrored"))
    np.testing.assert_array_equal(own.left_hand_FKC, other.right_hand_FKC)
    np.testing.assert_array_equal(own.right_hand_FKC, other.left_hand_FKC)


def test_of_two_left_hands_the_surer_one_counts_and_points_outside_are_unseen(
    tmp_path: Path, talking: Pose
) -> None:
    content = mediapipe_content(talking[:1])
    (frame,) = content["frames"]
    frame["handedness"][1][0] |= {
        "category_name": "Left",
        "score": 0.95,
    }  # the right hand, taken for a left one
    frame["hand_landmarks"][1][3]["x"] = 1.2
    found = load_hand_track(written(tmp_path, content, "hands.json"), told_side("own")).pose
    assert not found.right_hand_FKC.any()
    np.testing.assert_allclose(found.left_hand_FKC[0, 8, :2], talking.right_hand_FKC[0, 8, :2], atol=1e-3)
    assert found.left_hand_FKC[0, 3].tolist() == [0, 0, 0]


def test_the_names_of_javascript_are_read_too_and_a_frame_may_be_empty(tmp_path: Path, talking: Pose) -> None:
    frame = {
        "landmarks": [landmarks(talking, 0, "left")],
        "handednesses": [[{"categoryName": "Left", "score": 0.7}]],
    }
    content = mediapipe_content(talking, frames=[frame, {"landmarks": [], "handednesses": []}])
    found = load_hand_track(written(tmp_path, content, "hands.json"), told_side("own")).pose
    np.testing.assert_allclose(found.left_hand_FKC[0, :, :2], talking.left_hand_FKC[0, :, :2], atol=1e-3)
    assert len(found) == 2 and not found.left_hand_FKC[1].any()


# What is refused


def one_sentence(said: str) -> bool:
    """What came, what was expected, what to do next: one sentence, with no second one behind it."""
    body = said.rstrip(".")
    return said.endswith(".") and ". " not in body and "\n" not in said and ";" in said


def refused(path: Path, told: Conventions, error: type[CyberHostError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        load_hand_track(path, told)
    assert one_sentence(str(caught.value)), str(caught.value)
    assert path.name in str(caught.value)


def changed_pose(change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return change(smplx_arrays(known_hands())["poses"])


def with_nan(poses: np.ndarray) -> np.ndarray:
    poses[2, 80] = np.nan
    return poses


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"poses": np.zeros((6, 156))},
            r"'poses', has the shape \[6, 156\], but \['N', 165\] or \['N', 55, 3\]",
        ),
        ({"poses": np.zeros((6, 330))}, r"has the shape \[6, 330\]"),
        ({"poses": np.zeros((0, 165)), "trans": np.zeros((0, 3))}, r"has 0 frames, but 1 to"),
        ({"poses": np.array(1.0)}, r"has the shape \[\]"),
        ({"poses": changed_pose(with_nan)}, r"'poses', holds float32 or values that are not numbers"),
        ({"poses": np.full((6, 165), "a")}, r"'poses', holds <U1 or values that are not numbers"),
        ({"trans": None}, r"'trans', is missing, but \[6, 3\] was expected"),
        ({"trans": np.zeros((5, 3))}, r"'trans', has the shape \[5, 3\]"),
        ({"mocap_frame_rate": np.array([30, 30])}, r"'mocap_frame_rate', holds 2 numbers, but one"),
        ({"poses": None, "trans": None}, r"holds betas, expressions, gender, .*, but 'poses' \(SMPL-X"),
    ],
)
def test_a_body_of_another_kind_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    refused(written(tmp_path, smplx_arrays(known_hands()) | changes), FLAT, MediaError, says)


@pytest.mark.parametrize(
    ("root_deg", "says"),
    [
        ((90, 0, 0), r"tilted by 90 degrees and turned 90 degrees away"),  # z up
        ((180, 0, 0), r"tilted by 180 degrees and turned 180 degrees away"),  # a camera's axes
        ((0, 180, 0), r"tilted by 0 degrees and turned 180 degrees away"),
    ],
)
def test_other_axes_are_refused_rather_than_guessed(tmp_path: Path, root_deg, says: str) -> None:
    refused(written(tmp_path, turned(0, root_deg, 3)), FLAT, MediaError, says)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"frame": None}, r"'frame', is missing, but \['N'\] was expected"),
        (
            {"frame": np.arange(12) - 1},
            r"holds 12 hands, but at least one was expected, each in a frame of 0",
        ),
        ({"frame": np.arange(12) * 10**9}, r"each in a frame of 0 to 249999"),
        ({"is_right": np.full(12, 2)}, r"with is_right of 0 or 1"),
        ({"is_right": np.ones(12)}, r"holds 2 right hands in frame 0, but one person's"),
        ({"hand_pose": np.zeros((12, 12))}, r"'hand_pose', has the shape \[12, 12\]"),
        ({"hand_pose": np.zeros((12, 15, 3, 3))}, r"holds matrices that are no turns"),
        ({"hand_pose": np.tile(-np.eye(3), (12, 15, 1, 1))}, r"holds matrices that are no turns"),
        ({"global_orient": np.zeros((11, 3))}, r"'global_orient', has the shape \[11, 3\], but \[12, 3\] or"),
        ({"pred_keypoints_2d": None}, r"'pred_keypoints_2d', is missing"),
        ({"pred_keypoints_2d": np.zeros((12, 21, 2))}, r"do not lead to their keypoints"),
        ({"img_size": np.array([0, 640])}, r"has a picture of 0 x 640 px"),
        ({"fps": np.array([25, 25])}, r"'fps', holds 2 numbers"),
    ],
)
def test_found_hands_of_another_kind_are_named(tmp_path: Path, seen, changes: dict, says: str) -> None:
    hands, _, pose = seen
    arrays = mano_arrays(hands, pose, as_matrices=True, mirrored=False) | changes
    refused(written(tmp_path, arrays), OWN, MediaError, says)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 480.5}, r"has the canvas \[480\.5, 640\]"),
        ({"frames": []}, r"holds no list of 1 to"),
        ({"frames": [{}]}, r"frame 0, has no list 'hand_landmarks'"),
        ({"frames": [7]}, r"frame 0, has no list 'hand_landmarks'"),
        (
            {"frames": [{"hand_landmarks": [], "handedness": [[]]}]},
            r"a hand labelled None with a score of None",
        ),
        (
            {"frames": [{"hand_landmarks": [[]], "handedness": [[{"category_name": "Left", "score": 1}]]}]},
            r"a left hand has the shape",
        ),
        (
            {
                "frames": [
                    {
                        "hand_landmarks": [[{"x": 0.5}] * 21],
                        "handedness": [[{"category_name": "Left", "score": 1}]],
                    }
                ]
            },
            r"a left hand holds values that are not numbers",
        ),
        (
            {"frames": [{"hand_landmarks": [], "handedness": [[{"category_name": "Up", "score": 1}]]}]},
            r"a hand labelled 'Up'",
        ),
    ],
)
def test_landmarks_of_another_kind_are_named(tmp_path: Path, talking: Pose, changes: dict, says: str) -> None:
    path = written(tmp_path, mediapipe_content(talking) | changes, "hands.json")
    refused(path, told_side("own"), MediaError, says)


@pytest.mark.parametrize(
    ("kind", "told", "says"),
    [
        ("smplx", Conventions(), r"does not say whether its finger turns include the hands' mean pose"),
        ("smplx", Conventions(hand_mean="included", handedness="own"), r"was told a handedness, own, but"),
        ("smplx", Conventions(fps=-1, hand_mean="included"), r"has the rate -1, but"),
        ("mano", Conventions(fps=25, hand_mean="included"), r"does not say whether the turns of left hands"),
        ("mano", Conventions(hand_mean="included", handedness="own"), r"has the rate None"),
        (
            "mano",
            Conventions(fps=25, hand_mean=Path("SMPLX.npz"), handedness="own"),
            r"as matrices, which include the hands' mean pose",
        ),
        ("mediapipe", Conventions(), r"does not say whose left it means"),
        ("mediapipe", Conventions(hand_mean="included", handedness="own"), r"was told where the hands' mean"),
        ("ours", Conventions(fps=30), r"was told a rate \(fps\), 30, but such a file leaves no doubt"),
    ],
)
def test_what_a_file_leaves_open_must_be_told_and_nothing_else(
    tmp_path: Path, seen, kind: str, told: Conventions, says: str
) -> None:
    hands, _, pose = seen
    contents = {
        "smplx": (smplx_arrays(hands), "hands.npz"),
        "mano": (mano_arrays(hands, pose, as_matrices=True, mirrored=False), "hands.npz"),
        "mediapipe": (mediapipe_content(pose), "hands.json"),
        "ours": ({"format": "cyberhost-hand-track-1"}, "hands.json"),
    }
    refused(written(tmp_path, *contents[kind]), told, ConfigError, says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"poses": np.zeros(3)}, r"holds no mean poses, but hands_meanl and hands_meanr of 45"),
        ({"hands_meanl": np.zeros(45), "hands_meanr": np.zeros(12)}, r"'hands_meanr': \[12\]"),
    ],
)
def test_a_model_file_without_a_mean_is_named(tmp_path: Path, content: dict, says: str) -> None:
    model = written(tmp_path, content, "model.npz")
    path = written(tmp_path, smplx_arrays(known_hands()))
    with pytest.raises(MediaError, match=says) as caught:
        load_hand_track(path, Conventions(hand_mean=model))
    assert one_sentence(str(caught.value))


class Trap:
    """Whoever unpickles this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_no_code_from_a_file_runs(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    path = written(tmp_path, smplx_arrays(known_hands()) | {"poses": np.array([Trap(sprung)], dtype=object)})
    refused(path, FLAT, MediaError, "cannot be read as npz .*Object arrays cannot be loaded")
    assert not sprung.exists()


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"PK\x03\x04 and then something else"])
def test_what_is_no_npz_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "hands.npz"
    path.write_bytes(damage)
    refused(path, FLAT, MediaError, "cannot be read as npz")


def test_a_truncated_npz_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, smplx_arrays(known_hands()))
    path.write_bytes(path.read_bytes()[:-200])
    refused(path, FLAT, MediaError, "cannot be read as npz")


def test_an_array_that_is_too_large_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, smplx_arrays(known_hands()))
    monkeypatch.setattr(npz_file, "LARGEST_BYTES", 1000)
    refused(path, FLAT, MediaError, r"'poses', is 0 MiB large, but at most 0 MiB")


def test_json_without_a_format_is_told_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "hands.json"
    path.write_text(json.dumps([{"hand_landmarks": []}]))
    refused(path, Conventions(), MediaError, r"its format is None, .*docs/hand-tracks\.md lists")


def test_a_track_of_our_own_needs_nothing_told(tmp_path: Path, talking: Pose) -> None:
    from cyberhost_core.hands.track import save_hand_track

    save_hand_track(tmp_path / "own.json", HandTrack(talking, 25, "a test"))
    assert len(load_hand_track(tmp_path / "own.json")) == 6
