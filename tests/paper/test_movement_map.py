"""The body movement map of CyberHost (section 3.3), written as loops."""

import numpy as np
import pytest

from cyberhost_core.controls.movement_map import GROWTH_RANGE, draw_movement_map, movement_box
from cyberhost_core.types import THORAX, Pose


@pytest.mark.parametrize("growth", GROWTH_RANGE)
def test_the_map_is_the_thorax_range_grown_about_its_centre(growth: float) -> None:
    rng = np.random.default_rng(2)
    packed = np.zeros((12, 128, 3), dtype=np.float32)
    packed[:, THORAX, 0] = rng.uniform(20, 28, 12)
    packed[:, THORAX, 1] = rng.uniform(24, 27, 12)
    packed[:, THORAX, 2] = 1
    pose = Pose.from_packed(packed, height=64, width=48)

    x_low, x_high = min(packed[:, THORAX, 0]), max(packed[:, THORAX, 0])
    y_low, y_high = min(packed[:, THORAX, 1]), max(packed[:, THORAX, 1])
    width, height = (x_high - x_low) * (1 + growth), (y_high - y_low) * (1 + growth)
    x0, y0 = (x_low + x_high) / 2 - width / 2, (y_low + y_high) / 2 - height / 2
    expected = np.zeros((64, 48))
    for y in range(64):
        for x in range(48):
            covered_x = max(min(x + 1, x0 + width) - max(x, x0), 0)
            covered_y = max(min(y + 1, y0 + height) - max(y, y0), 0)
            expected[y, x] = covered_x * covered_y

    drawn = draw_movement_map(movement_box(pose, growth=growth), height=64, width=48)
    assert drawn.shape == (3, 64, 48)
    for channel in drawn:
        np.testing.assert_allclose(channel.numpy(), expected, atol=1e-4)
