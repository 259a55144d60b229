"""The masks of the talking head, against OpenCV and Pillow, which the peer makes them with."""

import numpy as np
import pytest
import torch
from PIL import Image

from cyberhost_core.controls.face_masks import face_box_map, face_masks, mask_levels
from cyberhost_core.errors import PoseError
from cyberhost_core.types import Pose

FULL, FACE, LIP = range(3)


def portrait(
    *,
    height: int = 512,
    width: int = 512,
    face: tuple[float, float, float, float] = (180, 190, 330, 370),
    lips: tuple[float, float, float, float] = (225, 315, 285, 345),
) -> Pose:
    """A head whose points from jaw to brows, and those of the mouth, fill the given boxes."""
    pose = Pose.from_packed(np.zeros((1, 128, 3), dtype=np.float32), height=height, width=width)
    rng = np.random.default_rng(0)
    for points, (x0, y0, x1, y1) in ((slice(0, 48), face), (slice(48, 68), lips)):
        part = pose.face_FKC[0, points]
        part[:, :2] = rng.uniform((x0, y0), (x1, y1), (len(part), 2))
        part[:2, :2] = (x0, y0), (x1, y1)
        part[:, 2] = 1
    return pose


def grown(low: float, high: float, *, times: float, size: int) -> tuple[int, int]:
    """One axis of the peer's box, with its own steps written out: round, floor, floor, push back."""
    first, last = round(low), round(high)
    middle, length = (first + last) // 2, (last - first) * times
    first, last = middle - length // 2, middle + length // 2
    if first < 0:
        first, last = 0, last - first
    if last > size:
        first, last = first - (last - size), size
    return max(round(first), 0), round(last)


def drawn(pose: Pose, box: tuple[float, float, float, float], *, times: float) -> np.ndarray:
    x = grown(box[0], box[2], times=times, size=pose.width)
    y = grown(box[1], box[3], times=times, size=pose.height)
    mask = np.zeros((pose.height, pose.width), dtype=np.uint8)
    mask[y[0] : y[1], x[0] : x[1]] = 255
    return mask


def opencvs(pose: Pose, face: tuple, lips: tuple, *, kind: type) -> np.ndarray:
    """The three masks by the calls that the peer makes, on numbers of a kind."""
    cv2 = pytest.importorskip("cv2")

    def soft(mask: np.ndarray, window: int) -> np.ndarray:
        blurred = cv2.GaussianBlur(cv2.resize(mask.astype(kind), (64, 64)), (window, window), 0)
        return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX)

    with_forehead = (face[0], face[1] - 0.21 * (face[3] - face[1]), *face[2:])
    face_soft, lip_soft = (
        soft(drawn(pose, with_forehead, times=1.2), 51),
        soft(drawn(pose, lips, times=2.0), 31),
    )
    return np.stack([255 - face_soft, np.maximum(cv2.subtract(face_soft, lip_soft), 0), lip_soft]) / 255


@pytest.mark.parametrize(
    ("size", "face", "lips"),
    [
        ((512, 512), (180, 190, 330, 370), (225, 315, 285, 345)),
        ((768, 512), (60.4, 90.5, 250.5, 300.2), (110.5, 240.1, 190, 280)),
        ((360, 640), (2, 5, 130, 150), (30, 110, 90, 138)),  # pushed back from two edges
        ((1080, 1080), (700, 640, 1079, 1060), (850, 940, 980, 1000)),
    ],
)
def test_the_masks_equal_those_that_opencv_makes(size: tuple, face: tuple, lips: tuple) -> None:
    pose = portrait(height=size[0], width=size[1], face=face, lips=lips)
    found = face_masks(pose).numpy()
    assert found.shape == (3, 64, 64)
    np.testing.assert_allclose(found, opencvs(pose, face, lips, kind=np.float32), atol=1e-4)
    # the peer works in 256 levels: it rounds three times, and stretches faint masks after the second
    rounded = opencvs(pose, face, lips, kind=np.uint8)
    assert np.abs(found - rounded).max() < 5 / 255
    assert np.abs(found - rounded).mean() < 1 / 255


@pytest.mark.parametrize("size", [(64, 64), (32, 32), (8, 8), (96, 64), (10, 6), (7, 5)])
def test_a_level_is_pillows_bilinear_of_the_mask(size: tuple[int, int]) -> None:
    masks = face_masks(portrait())
    (level,) = mask_levels(masks, [size])
    assert level.shape == (3, size[0] * size[1])
    for mask, tokens in zip(masks, level, strict=True):
        resized = Image.fromarray(mask.numpy()).resize(size[::-1], Image.Resampling.BILINEAR)
        np.testing.assert_allclose(tokens.numpy().reshape(size), np.asarray(resized), atol=2e-4)


def test_levels_come_in_the_order_of_their_sizes() -> None:
    levels = mask_levels(face_masks(portrait()), [(64, 64), (32, 32), (16, 16), (8, 8)])
    assert [tuple(level.shape) for level in levels] == [(3, 4096), (3, 1024), (3, 256), (3, 64)]


def test_the_lips_are_heard_at_the_mouth_and_the_rest_far_from_the_face() -> None:
    masks = face_masks(portrait())
    mouth, brow, corner = (41, 32), (22, 32), (63, 0)  # rows and columns of 64 cells
    assert masks[LIP][mouth] > 0.95
    assert masks[FACE][mouth] < 0.1
    assert masks[FACE][brow] > 0.5
    assert masks[FULL][corner] == pytest.approx(1, abs=0.02)
    assert masks[LIP][corner] == pytest.approx(0, abs=1e-3)
    assert (masks.amin() >= 0) and (masks.amax() <= 1)


def test_face_and_lips_leave_to_full_what_is_not_theirs() -> None:
    full, face, lip = face_masks(portrait())
    covered = face + lip >= 1 - full - 1e-6  # equal where the face's mask is above the lips'
    assert covered.all()


def test_the_face_map_is_the_grown_box_in_white() -> None:
    pose = portrait(height=400, width=300, face=(100, 200, 200, 300), lips=(130, 270, 170, 290))
    drawn_map = face_box_map(pose)
    assert drawn_map.shape == (1, 3, 400, 300)
    # with a forehead of 21 px: 100 x 121 px about (150, 239), times 1.2
    rows, columns = torch.nonzero(drawn_map[0, 0], as_tuple=True)
    assert (columns.min(), columns.max() + 1) == (90, 210)
    assert (rows.min(), rows.max() + 1) == (167, 311)
    assert set(drawn_map.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(drawn_map[:, 0], drawn_map[:, 2])


def test_a_face_that_fills_the_picture_is_all_face() -> None:
    pose = portrait(height=128, width=128, face=(2, 2, 126, 126), lips=(50, 90, 80, 110))
    full, face, lip = face_masks(pose)
    assert full.max() == pytest.approx(0, abs=1e-5)
    torch.testing.assert_close(face, 1 - lip)


@pytest.mark.parametrize(("points", "words"), [(slice(0, 68), "The face"), (slice(48, 68), "The mouth")])
def test_what_is_not_seen_is_named(points: slice, words: str) -> None:
    pose = portrait()
    pose.face_FKC[0, points, 2] = 0
    with pytest.raises(PoseError, match=f"{words} is not seen"):
        face_masks(pose)
