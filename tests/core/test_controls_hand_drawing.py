"""The hand drawing of EchoMimicV2, against pictures that the peer's own code drew."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyberhost_core.controls.hand_drawing import draw_peer_hands, draw_peer_hands_on
from cyberhost_core.controls.skeleton_map import HAND_BONES
from cyberhost_core.errors import ConfigError
from cyberhost_core.types import Pose

RECORDED = Path(__file__).parent / "fixtures" / "peer_hands"
NAMES = ("square", "half")


def blank(*, height: int = 800, width: int = 800) -> Pose:
    return Pose.from_packed(np.zeros((1, 128, 3), dtype=np.float32), height=height, width=width)


def recorded(name: str) -> tuple[Pose, np.ndarray]:
    """The points, and the peer's picture as (Y, X, 3) in 0..255."""
    points = json.loads((RECORDED / "points.json").read_text(encoding="utf-8"))[name]
    pose = blank(height=points["height"], width=points["width"])
    pose.left_hand_FKC[0], pose.right_hand_FKC[0] = points["left"], points["right"]
    return pose, np.array(Image.open(RECORDED / f"{name}.png"), dtype=np.float32)


def drawn(pose: Pose) -> np.ndarray:
    return draw_peer_hands(pose)[0].permute(1, 2, 0).numpy() * 255


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_covers_what_the_peers_covers_in_its_colours(name: str) -> None:
    pose, peer = recorded(name)
    ours = drawn(pose)
    there, here = peer.max(-1) > 40, ours.max(-1) > 40
    assert (there & here).sum() / (there | here).sum() > 0.84
    assert ours.sum() / peer.sum() == pytest.approx(1, abs=0.05)
    inside = there & here
    assert np.abs(ours - peer)[inside].mean() < 6


@pytest.mark.parametrize("name", NAMES)
def test_joints_and_the_middles_of_bones_have_the_peers_colours(name: str) -> None:
    pose, peer = recorded(name)
    ours = drawn(pose)
    for hand in (pose.left_hand_FKC[0], pose.right_hand_FKC[0]):
        hand = hand[hand[:, 0] > 0]
        middles = hand[np.array([4, 7, 10])]  # ends of fingers: nothing is painted over their joints
        for x, y, _ in middles:
            np.testing.assert_allclose(ours[int(y), int(x)], peer[int(y), int(x)], atol=2)
    bones = [(0, 17), (13, 14), (1, 2)]
    for start, end in bones:
        x, y = pose.right_hand_FKC[0, [start, end], :2].mean(axis=0).astype(int)
        near = slice(y - 2, y + 3), slice(x - 2, x + 3)  # the middle may fall on an edge
        np.testing.assert_allclose(ours[near].max(axis=(0, 1)), peer[near].max(axis=(0, 1)), atol=3)


def test_the_first_bone_is_blue_and_joints_are_red_as_bright_as_their_scores() -> None:
    pose = blank()
    pose.left_hand_FKC[0, 0] = (100, 100, 1.0)
    pose.left_hand_FKC[0, 1] = (200, 100, 0.5)
    picture = draw_peer_hands(pose)[0]
    torch.testing.assert_close(picture[:, 100, 150], torch.tensor([0, 0, 127 / 255]), atol=1e-3, rtol=0)
    torch.testing.assert_close(picture[:, 100, 100], torch.tensor([1.0, 0, 0]), atol=1e-3, rtol=0)
    torch.testing.assert_close(picture[:, 100, 200], torch.tensor([127 / 255, 0, 0]), atol=1e-3, rtol=0)
    assert (picture[2, :, 150] > 0).sum() == 3  # rows 99, 100 and 101, as OpenCV's thickness 2
    assert HAND_BONES[0].tolist() == [0, 1]


def test_sizes_follow_the_shorter_side() -> None:
    large, small = blank(), blank(height=200, width=400)
    large.right_hand_FKC[0, :, :2] = np.random.default_rng(0).uniform(100, 700, (21, 2))
    large.right_hand_FKC[0, :, 2] = 1
    small.right_hand_FKC[0] = large.right_hand_FKC[0] * (0.25, 0.25, 1)
    averaged = torch.nn.functional.avg_pool2d(draw_peer_hands(large), 4)
    assert (averaged[..., :200] - draw_peer_hands(small)[..., :200]).abs().mean() < 0.012


def test_only_hands_are_drawn_and_points_without_a_place_are_not() -> None:
    pose = blank()
    pose.body_FKC[:] = pose.face_FKC[:] = (400, 400, 1)
    pose.left_hand_FKC[0, :, 2] = 1  # all at 0, 0
    pose.right_hand_FKC[:] = np.nan
    assert draw_peer_hands(pose).max() == 0


def test_a_faint_hand_is_drawn_faintly() -> None:
    pose = blank()
    pose.left_hand_FKC[0] = (300, 300, 0.1)
    assert draw_peer_hands(pose)[0, 0, 300, 300] == pytest.approx(25 / 255, abs=1e-3)


def test_hands_are_drawn_on_a_base_that_stays_elsewhere() -> None:
    pose = blank(height=80, width=60)
    pose.left_hand_FKC[0, 5] = (30, 40, 1)
    base = torch.full((1, 3, 80, 60), 0.5)
    picture = draw_peer_hands_on(base, pose)[0]
    torch.testing.assert_close(picture[:, :30], base[0, :, :30])
    assert picture[0, 40, 30] > 0.6 > 0.4 > picture[2, 40, 30]  # redder: a disc of one px covers a part
    assert base.unique().tolist() == [0.5]


def test_a_base_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="60 x 80 px, the pose's canvas 800 x 800"):
        draw_peer_hands_on(torch.zeros(1, 3, 80, 60), blank())
