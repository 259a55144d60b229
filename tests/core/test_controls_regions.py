import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from cyberhost_core.controls.regions import (
    crop_and_resize,
    enclosing_box,
    enclosing_boxes,
    face_crop,
    face_detail_masks,
    face_masks,
    hand_crops,
    hand_masks,
    squared,
)
from cyberhost_core.types import Pose

RNG = np.random.default_rng(3)


def blank(frames: int = 1, *, height: int = 128, width: int = 96) -> Pose:
    return Pose.from_packed(np.zeros((frames, 128, 3), dtype=np.float32), height=height, width=width)


def put(points_KC: np.ndarray, box: tuple[float, float, float, float]) -> None:
    """Spread a part's points over a box, corners included."""
    x0, y0, x1, y1 = box
    points_KC[:, :2] = RNG.uniform((x0, y0), (x1, y1), (len(points_KC), 2))
    points_KC[:4, :2] = [(x0, y0), (x1, y1), (x0, y1), (x1, y0)]
    points_KC[:, 2] = 1


def picture(height: int = 128, width: int = 96) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_minus_one_to_one(image_YXC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image_YXC).permute(2, 0, 1).float() / 127.5 - 1


def test_the_box_is_the_smallest_around_the_seen_points() -> None:
    points = np.zeros((2, 21, 3), dtype=np.float32)
    put(points[0], (10.5, 20, 30, 44.25))
    put(points[1], (10, 20, 30, 40))
    points[1, 1] = (30, 40, 0.29)
    points[1, 2:4, 2] = 0
    points[1, 4:, :2] = (12, 25)
    np.testing.assert_allclose(enclosing_boxes(points), [(10.5, 20, 30, 44.25), (10, 20, 12, 25)])


def test_a_margin_is_a_share_of_the_sides() -> None:
    points = np.zeros((21, 3), dtype=np.float32)
    put(points, (10, 20, 30, 60))
    np.testing.assert_allclose(enclosing_box(points, margin_frac=0.1), (8, 16, 32, 64))


def test_a_part_with_few_seen_points_has_no_box() -> None:
    points = np.zeros((21, 3), dtype=np.float32)
    put(points, (10, 20, 30, 60))
    points[5:, 2] = 0.1
    assert enclosing_box(points) is None
    points[5, 2] = 1
    assert enclosing_box(points) is not None


def test_a_box_has_area_even_when_all_points_coincide() -> None:
    points = np.tile(np.array([7, 9, 1], dtype=np.float32), (21, 1))
    np.testing.assert_allclose(enclosing_box(points), (6.5, 8.5, 7.5, 9.5))


def test_masks_hold_the_covered_share_of_every_cell() -> None:
    pose = blank(2)
    put(pose.left_hand_FKC[0], (12, 20, 30, 41))
    put(pose.right_hand_FKC[0], (60, 8, 64, 16))
    fine = np.zeros((128 * 4, 96 * 4))  # quarter pixels: every corner above falls on their edges
    fine[20 * 4 : 41 * 4, 12 * 4 : 30 * 4] = 1
    fine[8 * 4 : 16 * 4, 60 * 4 : 64 * 4] = 1
    expected = fine.reshape(16, 32, 24, 16).mean(axis=(1, 3))
    masks = hand_masks(pose, height=16, width=24)
    np.testing.assert_allclose(masks[0].numpy(), expected, atol=1e-5)
    assert masks[1].max() == 0


def test_hands_do_not_mark_the_face_mask() -> None:
    pose = blank()
    put(pose.left_hand_FKC[0], (12, 20, 30, 41))
    assert face_masks(pose, height=16, width=12).max() == 0


def test_the_details_of_a_face_are_eyes_and_mouth_and_not_what_lies_between() -> None:
    pose = blank()
    put(pose.face_FKC[0], (16, 16, 56, 64))
    put(pose.face_FKC[0, 36:42], (20, 28, 28, 32))
    put(pose.face_FKC[0, 42:48], (44, 28, 52, 32))
    put(pose.face_FKC[0, 48:68], (28, 50, 44, 56))
    mask = face_detail_masks(pose, height=128, width=96)[0].numpy() > 0
    rows, columns = np.indices(mask.shape)
    right, left = (abs(columns + 0.5 - x) < 5.6 for x in (24, 48))
    eyes = (right | left) & (abs(rows + 0.5 - 30) < 2.8)
    mouth = (abs(columns + 0.5 - 36) < 11.2) & (abs(rows + 0.5 - 53) < 4.2)
    assert mask[eyes | mouth].all()
    assert mask.sum() <= (eyes | mouth).sum() * 1.25  # cells that are covered in part count as marked
    assert not mask[40, 36]


def test_enlarging_is_linear_interpolation() -> None:
    image = picture()
    crop = crop_and_resize(image, np.array([20.0, 30.0, 36.0, 46.0]), 64)
    expected = interpolate(
        as_minus_one_to_one(image)[None], scale_factor=4, mode="bilinear", align_corners=False
    )[0]
    torch.testing.assert_close(crop, expected[:, 120:184, 80:144], atol=1e-5, rtol=0)


def test_shrinking_averages_areas() -> None:
    image = picture()
    crop = crop_and_resize(image, np.array([16.0, 32.0, 80.0, 96.0]), 16)
    expected = avg_pool2d(as_minus_one_to_one(image)[:, 32:96, 16:80], 4)
    torch.testing.assert_close(crop, expected, atol=1e-5, rtol=0)


def test_outside_the_picture_is_mid_grey() -> None:
    white = np.full((40, 40, 3), 255, dtype=np.uint8)
    crop = crop_and_resize(white, np.array([-40.0, 0.0, 40.0, 80.0]), 32)
    assert crop[:, :15, 17:].min() == 1
    assert crop[:, :, :15].abs().max() == 0
    assert crop[:, 17:].abs().max() == 0
    assert crop_and_resize(white, np.array([100.0, 100.0, 120.0, 120.0]), 8).abs().max() == 0


def test_a_squared_box_keeps_its_centre_and_longer_side() -> None:
    np.testing.assert_allclose(squared(np.array([10.0, 20.0, 20.0, 60.0])), (-5, 20, 35, 60))


def test_left_and_right_hand_crops_come_in_this_order_and_keep_proportions() -> None:
    image = np.zeros((128, 96, 3), dtype=np.uint8)
    image[20:40, 60:80] = (255, 0, 0)
    image[70:80, 10:30] = (0, 0, 255)
    pose = blank()
    put(pose.left_hand_FKC[0], (60, 20, 80, 40))
    put(pose.right_hand_FKC[0], (10, 70, 30, 80))
    crops = hand_crops(image, pose)
    assert crops.images_NCHW.shape == (2, 3, 128, 128)
    assert crops.seen_N.tolist() == [True, True]
    assert crops.images_NCHW[0, 0, 8:-8, 8:-8].min() == pytest.approx(1, abs=1e-5)
    blue = crops.images_NCHW[1, 2] > 0
    assert blue.float().mean().item() == pytest.approx(
        0.5, abs=0.02
    )  # the box was 20 x 10, the crop is a square


def test_a_hand_that_is_not_there_is_grey_and_flagged() -> None:
    pose = blank()
    put(pose.right_hand_FKC[0], (10, 70, 30, 80))
    crops = hand_crops(picture(), pose)
    assert crops.seen_N.tolist() == [False, True]
    assert crops.images_NCHW[0].abs().max() == 0


def test_the_face_crop_is_256_px() -> None:
    pose = blank()
    put(pose.face_FKC[0], (30, 10, 60, 50))
    crops = face_crop(picture(), pose)
    assert crops.images_NCHW.shape == (1, 3, 256, 256)
    assert crops.seen_N.tolist() == [True]
