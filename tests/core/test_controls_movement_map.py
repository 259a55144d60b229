import numpy as np
import pytest

from cyberhost_core.controls.movement_map import draw_movement_map, fixed_box, movement_box, thorax_box
from cyberhost_core.errors import PoseError
from cyberhost_core.types import THORAX, Pose


def moving(thorax: list[tuple[float, float, float]], *, height: int = 128, width: int = 96) -> Pose:
    packed = np.zeros((len(thorax), 128, 3), dtype=np.float32)
    packed[:, THORAX] = thorax
    return Pose.from_packed(packed, height=height, width=width)


def test_frames_without_a_thorax_do_not_widen_the_box() -> None:
    pose = moving([(10, 20, 1), (14, 26, 0.9), (90, 90, 0.1)])
    np.testing.assert_allclose(thorax_box(pose), (10, 20, 14, 26))


def test_a_resting_thorax_still_gets_a_visible_box_around_it() -> None:
    box = movement_box(moving([(48, 60, 1)] * 5), growth=1.2)
    np.testing.assert_allclose(box, (48 - 0.64, 60 - 0.64, 48 + 0.64, 60 + 0.64), atol=1e-5)
    assert draw_movement_map(box, height=128, width=96).sum() > 0


def test_the_fixed_box_has_the_asked_size_around_the_reference() -> None:
    box = fixed_box(moving([(30, 50, 1)]), width_frac=0.25, height_frac=0.125)
    np.testing.assert_allclose(box, (30 - 12, 50 - 8, 30 + 12, 50 + 8))


def test_a_clip_without_a_thorax_is_refused_with_the_best_score() -> None:
    with pytest.raises(PoseError, match=r"none of 2 frames \(best score 0\.20"):
        thorax_box(moving([(1, 1, 0.2), (1, 1, 0.1)]))


def test_a_box_of_half_a_pixel_still_shows() -> None:
    drawn = draw_movement_map(np.array([10.0, 10.0, 10.5, 10.5]), height=32, width=24)
    assert drawn.sum() / 3 == pytest.approx(0.25)


def test_a_box_beyond_the_picture_fills_what_is_inside() -> None:
    drawn = draw_movement_map(np.array([-5.0, -5.0, 500.0, 2.0]), height=8, width=6)
    assert drawn[:, :2].min() == 1
    assert drawn[:, 2:].max() == 0
