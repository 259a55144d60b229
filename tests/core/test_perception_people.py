"""The people detector's geometry; and, opt-in, the whole of it on a photograph that scikit-image brings.

CYBERHOST_MEDIAPIPE=mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl \\
    pytest -m weights tests/core/test_perception_people.py

The places below were read off the photograph by eye.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from cyberhost_core import bundled
from cyberhost_core.perception.anchors import anchors, corners, decode
from cyberhost_core.perception.detectors import open_pose_detector
from cyberhost_core.perception.mediapipe_files import fetch_people_detector
from cyberhost_core.perception.people import PeopleDetector, hand_region, tightened_hand
from cyberhost_core.perception.people_points import FACE_68, openpose_body
from cyberhost_core.perception.people_regions import around, crop, in_picture, region, shifted
from cyberhost_core.perception.pose import PoseDetector, require_person
from cyberhost_core.perception.protocols import FindsPoseInBoxes


def test_anchors_are_as_many_as_the_networks_have_results() -> None:
    assert len(anchors(224, (8, 16, 32, 32, 32))) == 2254
    palms = anchors(192, (8, 16, 16, 16))
    assert len(palms) == 2016
    np.testing.assert_allclose(palms[[0, 1, 2, 48]], [(4, 4), (4, 4), (12, 4), (4, 12)])
    np.testing.assert_allclose(palms[[1152, 1157, 1158]], [(8, 8), (8, 8), (24, 8)])


def test_results_are_offsets_from_their_anchors_and_the_surest_comes_first() -> None:
    raw = np.array([[1, 2, 10, 20, 3, 4], [0, 0, 2, 2, 1, 1], [5, 5, 4, 4, 0, 0]], np.float32)
    found, sure = decode(raw, np.array([[1.0], [-3.0], [200.0]]), np.array([(4, 4), (12, 4), (20, 4)]))
    np.testing.assert_allclose(found, [[(25, 9), (4, 4), (20, 4)], [(5, 6), (10, 20), (7, 8)]])
    np.testing.assert_allclose(sure, [1.0, 0.731], atol=1e-3)
    np.testing.assert_allclose(corners(found), [(23, 7, 27, 11), (0, -4, 10, 16)])
    assert decode(raw, np.full((3, 1), -9.0), np.zeros((3, 2)))[0].shape == (0, 3, 2)


def test_an_upright_region_of_the_inputs_size_is_the_picture_itself() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_allclose(crop(image, np.array([4, 4, 8, 0.0]), px=8), image / 255, atol=1e-5)


@pytest.mark.parametrize("turn", [0.0, 0.7, -2.0])
def test_what_is_seen_in_a_turned_crop_is_where_the_picture_has_it(turn: float) -> None:
    image = np.zeros((90, 120, 3), np.uint8)
    image[28:33, 68:73] = 255  # its middle is 70.5, 30.5
    where = np.array([60.0, 40.0, 50.0, turn])
    cut = crop(image, where, px=100)[..., 0]
    y, x = (np.average(axis, weights=cut) + 0.5 for axis in np.mgrid[:100, :100])
    np.testing.assert_allclose(in_picture(np.array([[x, y]]), where, px=100), [(70.5, 30.5)], atol=0.1)


def test_upwards_in_a_region_is_the_direction_it_was_given() -> None:
    where = region(np.array([50.0, 60.0]), np.array([3.0, -4.0]), 20.0)
    np.testing.assert_allclose(in_picture(np.array([[5.0, 0.0]]), where, px=10), [(56, 52)])
    np.testing.assert_allclose(shifted(where, up=0.5, scale=2.0)[:3], (56, 52, 40))
    held = around(np.array([[50.0, 60], [53, 56], [56, 52]]), np.array([3.0, -4.0]))
    np.testing.assert_allclose(held[:3], (53, 56, 10))


def test_a_hand_looks_along_its_middle_finger() -> None:
    first = hand_region(np.array([[0.0, 0], [10, -2], [10, 4]]))  # wrist, index, little finger: to the right
    np.testing.assert_allclose(first, [12, 0, 54, np.pi / 2], atol=1e-9)
    points = np.zeros((21, 2))
    points[[1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]] = (10, 0)
    np.testing.assert_allclose(tightened_hand(points), [6, 0, 20, np.pi / 2], atol=1e-9)


def test_openpose_has_its_points_on_the_persons_own_sides() -> None:
    points = np.array([(number, -number, 0.5) for number in range(39)], np.float32)
    points[12, 2] = 0.2
    body = openpose_body(points)
    right_and_left = {2: 12, 4: 16, 5: 11, 7: 15, 8: 24, 11: 23, 14: 5, 15: 2, 16: 8, 17: 7, 0: 0}
    for place, number in right_and_left.items():
        assert body[place, 0] == number
    np.testing.assert_allclose(body[1], (11.5, -11.5, 0.2))


def test_every_face_point_has_a_vertex_of_its_own() -> None:
    assert len(set(FACE_68)) == len(FACE_68) == 68 and max(FACE_68) < 468


def test_a_puppets_network_is_opened_as_before() -> None:
    assert isinstance(open_pose_detector(bundled.POSE_NETWORK), PoseDetector)


@pytest.fixture(scope="module")
def people_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheel = os.environ.get("CYBERHOST_MEDIAPIPE")
    if not wheel:
        pytest.skip("CYBERHOST_MEDIAPIPE names no wheel")
    path = tmp_path_factory.mktemp("people") / "people.safetensors"
    fetch_people_detector(path, wheel=wheel)
    return path


@pytest.mark.weights
def test_the_astronaut_is_found_and_her_hands_are_not_made_up(people_file: Path) -> None:
    photograph = np.array(pytest.importorskip("skimage.data").astronaut())
    detector = open_pose_detector(people_file)
    assert isinstance(detector, PeopleDetector) and isinstance(detector, FindsPoseInBoxes)
    pose = require_person(detector.detect(photograph))
    body, face = pose.body_FKC[0], pose.face_FKC[0]
    for point, place in ((0, (224, 122)), (14, (202, 100)), (15, (248, 103))):
        np.testing.assert_allclose(body[point, :2], place, atol=9)
    assert (body[[0, 1, 2, 5, 14, 15], 2] > 0.5).all() and (body[8:14, 2] == 0).all()
    np.testing.assert_allclose(face[36:48, :2].mean(axis=0), (225, 102), atol=4)
    np.testing.assert_allclose(face[48:68, :2].mean(axis=0), (223, 146), atol=6)
    assert pose.left_hand_FKC[..., 2].max() < 0.3 and pose.right_hand_FKC[..., 2].max() < 0.3


@pytest.mark.weights
def test_a_box_says_who_is_meant_and_an_empty_picture_shows_nobody(people_file: Path) -> None:
    photograph = np.array(pytest.importorskip("skimage.data").astronaut())
    pair = np.concatenate([photograph, photograph[:, ::-1]], axis=1)
    detector = open_pose_detector(people_file)
    pose = detector.detect(np.stack([pair, pair]), box=np.array([(0, 0, 512, 512), (512, 0, 1024, 512)]))
    np.testing.assert_allclose(pose.body_FKC[:, 0, 0], (224, 1023 - 224), atol=9)
    assert detector.detect(np.zeros((1, 64, 64, 3), np.uint8)).packed_FKC()[..., 2].max() == 0
