"""The public networks themselves, on a photograph that scikit-image brings; opt-in, their paths in variables.

CYBERHOST_YOLOX=yolox_l.onnx CYBERHOST_DWPOSE=dw-ll_ucoco_384.onnx CYBERHOST_ARCFACE=glintr100.onnx \\
    pytest -m weights tests/core/test_perception_real_files.py

The places below were read off the photograph by eye.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from cyberhost_core.perception.face_identity import FaceIdentity
from cyberhost_core.perception.person_boxes import PersonDetector, poses_in_boxes
from cyberhost_core.perception.pose import PoseDetector
from cyberhost_core.types import Pose

pytestmark = pytest.mark.weights

NOSE, RIGHT_EYE, LEFT_EYE, MOUTH = (224, 122), (202, 100), (248, 103), (223, 146)


def network(name: str) -> Path:
    path = os.environ.get(f"CYBERHOST_{name}")
    if not path:
        pytest.skip(f"CYBERHOST_{name} names no file")
    return Path(path)


@pytest.fixture
def photograph() -> np.ndarray:
    """An astronaut who fills most of 512 x 512 px; the file is in the package, nothing is fetched."""
    return np.asarray(pytest.importorskip("skimage.data").astronaut())


def pose_of(photograph: np.ndarray) -> Pose:
    return PoseDetector(network("DWPOSE")).detect(photograph)


def test_the_one_person_is_found(photograph: np.ndarray) -> None:
    (boxes,) = PersonDetector(network("YOLOX")).detect(photograph[None])
    assert len(boxes) == 1
    x0, y0, x1, y1 = boxes[0]
    assert x0 < 60 and y0 < 40 and x1 > 330 and y1 > 480


def test_two_people_come_from_left_to_right(photograph: np.ndarray) -> None:
    pair = np.concatenate([photograph, photograph[:, ::-1]], axis=1)
    (boxes,) = PersonDetector(network("YOLOX")).detect(pair[None])
    assert len(boxes) == 2
    left, right = poses_in_boxes(PoseDetector(network("DWPOSE")), pair[None], [boxes])
    np.testing.assert_allclose(left.body_FKC[0, 0, :2], NOSE, atol=8)
    np.testing.assert_allclose(right.body_FKC[0, 0, :2], (1023 - NOSE[0], NOSE[1]), atol=8)


def test_points_lie_where_they_are_seen_and_sides_are_the_persons_own(photograph: np.ndarray) -> None:
    pose = pose_of(photograph)
    body = pose.body_FKC[0]
    for point, place in ((0, NOSE), (14, RIGHT_EYE), (15, LEFT_EYE)):
        np.testing.assert_allclose(body[point, :2], place, atol=8)
        assert body[point, 2] > 0.5
    mouth = pose.face_FKC[0, 48:68]
    np.testing.assert_allclose(mouth[:, :2].mean(axis=0), MOUTH, atol=6)


def test_a_face_keeps_its_vector_under_another_light_and_not_upside_down(photograph: np.ndarray) -> None:
    pose = pose_of(photograph)
    identity = FaceIdentity(network("ARCFACE"))
    raw = identity.raw_frames(photograph[None], pose.face_FKC)[0]
    assert 5 < np.linalg.norm(raw) < 60  # ArcFace's vectors are some 20 long, not 1
    darker = (photograph * 0.7).astype(np.uint8)
    swapped = photograph[::-1].copy()
    upright, dark, wrong = (
        identity.embed(picture, pose.face_FKC) for picture in (photograph, darker, swapped)
    )
    assert upright @ dark > 0.9
    assert upright @ wrong < 0.4
