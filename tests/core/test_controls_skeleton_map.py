import colorsys

import numpy as np
import pytest
import torch

from cyberhost_core.controls.skeleton_map import (
    BODY_LIMBS,
    HAND_BONES,
    draw_hands_on,
    draw_skeleton,
    draw_skeleton_on,
)
from cyberhost_core.errors import ConfigError
from cyberhost_core.types import BODY_POINTS, Pose


def blank(frames: int = 1, *, height: int = 128, width: int = 128) -> Pose:
    return Pose.from_packed(np.zeros((frames, 128, 3), dtype=np.float32), height=height, width=width)


def scattered(frames: int, *, height: int, width: int) -> Pose:
    """A pose whose limbs are far longer than a person's: the slow case."""
    packed = np.random.default_rng(0).random((frames, 128, 3)).astype(np.float32)
    packed[..., :2] *= (width, height)
    packed[..., 2] = 1
    return Pose.from_packed(packed, height=height, width=width)


def test_limbs_form_a_tree_over_all_body_points() -> None:
    assert sorted({int(point) for limb in BODY_LIMBS for point in limb}) == list(range(BODY_POINTS))
    assert len(BODY_LIMBS) == BODY_POINTS - 1
    assert HAND_BONES.tolist()[3:5] == [[3, 4], [0, 5]]


def test_the_persons_right_shoulder_limb_is_red_and_the_neck_to_nose_limb_blue() -> None:
    pose = blank()
    for point, place in {0: (64, 20), 1: (64, 60), 2: (30, 60)}.items():
        pose.body_FKC[0, point] = (*place, 1)
    drawn = draw_skeleton(pose)[0]
    torch.testing.assert_close(drawn[:, 60, 47], torch.tensor([0.6, 0, 0]), atol=0.02, rtol=0)
    torch.testing.assert_close(drawn[:, 40, 64], torch.tensor([0, 0, 0.6]), atol=0.02, rtol=0)


def test_a_limb_needs_both_ends() -> None:
    pose = blank()
    pose.body_FKC[0, 1] = (20, 60, 1)
    pose.body_FKC[0, 2] = (100, 60, 0.29)
    drawn = draw_skeleton(pose)[0]
    assert drawn[:, 55:65, 40:].max() == 0
    assert drawn[:, 60, 20].max() > 0.5


def test_only_the_chosen_parts_are_drawn() -> None:
    pose = scattered(1, height=64, width=64)
    face = draw_skeleton(pose, parts=["face"])
    torch.testing.assert_close(face[:, 0], face[:, 2])
    assert draw_skeleton(pose, parts=[]).max() == 0
    hidden_hands = Pose(
        pose.body_FKC, pose.face_FKC, *[np.zeros((1, 21, 3), np.float32)] * 2, height=64, width=64
    )
    torch.testing.assert_close(draw_skeleton(hidden_hands), draw_skeleton(pose, parts=["body", "face"]))


@pytest.mark.parametrize("side", ["left_hand_FKC", "right_hand_FKC"])
def test_either_hand_is_drawn_with_its_bones(side: str) -> None:
    pose = blank()
    getattr(pose, side)[0, [0, 1]] = [(20, 20, 1), (60, 20, 1)]
    drawn = draw_skeleton(pose, parts=["hands"])[0]
    assert drawn[2, 20, 20] > 0.7  # joints are blue
    assert drawn[0, 20, 40] > 0.4  # the first bone is red
    assert drawn[2, 20, 40] == 0


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(ConfigError, match="no part named 'feet'"):
        draw_skeleton(blank(), parts=["feet"])  # pyright: ignore[reportArgumentType]


def test_an_empty_pose_draws_nothing() -> None:
    assert draw_skeleton(blank(2)).max() == 0


def test_points_that_are_not_numbers_are_left_out() -> None:
    pose = scattered(1, height=32, width=32)
    pose.left_hand_FKC[:] = np.nan
    pose.body_FKC[0, 3, 0] = np.inf
    assert torch.isfinite(draw_skeleton(pose)).all()


def test_a_map_keeps_its_look_at_every_size() -> None:
    small = scattered(1, height=256, width=192)
    large = draw_skeleton(small.scaled(height=1024, width=768), parts=["body"])
    averaged = torch.nn.functional.avg_pool2d(large, 4)
    assert (averaged - draw_skeleton(small, parts=["body"])).abs().mean() < 0.02


def test_hands_are_drawn_on_the_movement_map_and_the_rest_of_it_stays() -> None:
    pose = blank(2)
    pose.left_hand_FKC[1, 5] = (100.5, 100.5, 1)
    movement = torch.zeros(3, 128, 128)
    movement[:, 30:60, 30:60] = 1
    drawn = draw_hands_on(movement, pose)
    torch.testing.assert_close(drawn[0], movement)
    torch.testing.assert_close(drawn[1, :, :90], movement[:, :90])
    assert drawn[1, 2, 100, 100] == pytest.approx(1)
    assert drawn[1, 0, 100, 100] == pytest.approx(0, abs=1e-4)


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"64 x 32 px, the pose's canvas 128 x 128"):
        draw_hands_on(torch.zeros(3, 32, 64), blank())


def test_skeletons_are_drawn_on_a_picture_of_each_frame_and_the_pictures_stay() -> None:
    pose = scattered(2, height=64, width=48)
    pictures = torch.rand(2, 3, 64, 48)
    before = pictures.clone()
    drawn = draw_skeleton_on(pictures, pose)
    assert torch.equal(pictures, before)
    on_black = draw_skeleton(pose)
    untouched = on_black.amax(dim=1, keepdim=True).expand_as(on_black) == 0
    assert 0.1 < untouched.float().mean() < 0.9
    torch.testing.assert_close(drawn[untouched], before[untouched])


def test_pictures_of_another_number_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 maps to draw on and 2 frames"):
        draw_skeleton_on(torch.zeros(3, 3, 128, 128), blank(2))


def standing(*, height: int, width: int) -> Pose:
    """A whole person of plausible proportions, with both hands open."""
    pose = blank(height=height, width=width)
    head_and_arms = [(50, 15), (50, 25), (40, 25), (35, 38), (33, 50), (60, 25), (65, 38), (67, 50)]
    legs = [(44, 52), (43, 70), (42, 90), (56, 52), (57, 70), (58, 90)]
    pose.body_FKC[0, :, :2] = [*head_and_arms, *legs, (48, 13), (52, 13), (45, 14), (55, 14)]
    for hand, (x, side) in ((pose.right_hand_FKC, (33, -1)), (pose.left_hand_FKC, (67, 1))):
        hand[0, 0, :2] = x, 50
        for joint in range(1, 21):
            finger, along = divmod(joint - 1, 4)
            hand[0, joint, :2] = x + side * (finger - 2) * (1 + along * 0.6), 52 + along * 1.4
    around = np.linspace(0, 2 * np.pi, 68)
    pose.face_FKC[0, :, :2] = np.stack([50 + 6 * np.cos(around), 14 + 7 * np.sin(around)], axis=1)
    packed = pose.packed_FKC() * (width / 100, height / 100, 1)
    packed[..., 2] = 1
    return Pose.from_packed(packed.astype(np.float32), height=height, width=width)


def dwposes_drawing(pose: Pose) -> np.ndarray:
    """The same by OpenCV, as DWPose and the public models trained on its pictures draw: (Y, X, 3), 0..255."""
    cv2 = pytest.importorskip("cv2")

    def hue(share: float) -> tuple[float, ...]:
        return tuple(255 * channel for channel in colorsys.hsv_to_rgb(share, 1, 1))

    canvas = np.zeros((pose.height, pose.width, 3), dtype=np.uint8)
    body = pose.body_FKC[0, :, :2]
    for index, limb in enumerate(BODY_LIMBS):
        (x0, y0), (x1, y1) = body[limb]
        middle, half = (int((x0 + x1) / 2), int((y0 + y1) / 2)), int(np.hypot(x1 - x0, y1 - y0) / 2)
        angle = int(np.degrees(np.arctan2(y0 - y1, x0 - x1)))
        ellipse = cv2.ellipse2Poly(middle, (half, 4), angle, 0, 360, 1)
        cv2.fillConvexPoly(canvas, ellipse, hue(index / 18))
    canvas = (canvas * 0.6).astype(np.uint8)
    for index, place in enumerate(body.astype(int)):
        cv2.circle(canvas, place.tolist(), 4, hue(index / 18), thickness=-1)
    for hand in (pose.left_hand_FKC[0, :, :2].astype(int), pose.right_hand_FKC[0, :, :2].astype(int)):
        for index, (start, end) in enumerate(HAND_BONES):
            cv2.line(canvas, hand[start].tolist(), hand[end].tolist(), hue(index / 20), thickness=2)
        for place in hand:
            cv2.circle(canvas, place.tolist(), 4, (0, 0, 255), thickness=-1)
    for place in pose.face_FKC[0, :, :2].astype(int):
        cv2.circle(canvas, place.tolist(), 3, (255, 255, 255), thickness=-1)
    return canvas.astype(np.float32)


def test_at_512_px_the_whole_body_looks_as_dwpose_draws_it() -> None:
    """The same strokes in the same colours; ellipses and thicker bones of the hand are what differs."""
    pose = standing(height=768, width=512)
    expected = dwposes_drawing(pose)
    drawn = draw_skeleton(pose)[0].permute(1, 2, 0).numpy() * 255
    there, here = expected.max(-1) > 60, drawn.max(-1) > 60
    assert (there & here).sum() / (there | here).sum() > 0.75
    assert drawn.sum() / expected.sum() == pytest.approx(1, abs=0.1)
    for place in pose.body_FKC[0, :14, :2].astype(int):
        np.testing.assert_allclose(drawn[place[1], place[0]], expected[place[1], place[0]], atol=2)
    for limb in BODY_LIMBS[:12]:
        x, y = pose.body_FKC[0, limb, :2].mean(axis=0).astype(int)
        np.testing.assert_allclose(drawn[y, x], expected[y, x], atol=2)
    for x, y in pose.left_hand_FKC[0, 4:, :2].astype(int):
        np.testing.assert_allclose(drawn[y, x], expected[y, x], atol=2)
