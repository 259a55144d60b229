from typing import Any

import numpy as np
import pytest

from cyberhost_core.controls.drawing import Strokes, coverage, fill_boxes, paint

WHITE = (1.0, 1.0, 1.0)


def strokes(*rows: dict[str, Any]) -> Strokes:
    return Strokes(
        frame_N=np.array([row.get("frame", 0) for row in rows]),
        start_N2=np.array([row["start"] for row in rows], dtype=np.float32),
        end_N2=np.array([row.get("end", row["start"]) for row in rows], dtype=np.float32),
        radius_N=np.array([row["radius"] for row in rows], dtype=np.float32),
        colour_NC=np.array([row.get("colour", WHITE) for row in rows], dtype=np.float32),
    )


def naive_capsule(height: int, width: int, row: dict[str, Any]) -> np.ndarray:
    """One stroke, pixel by pixel, over the whole canvas."""
    alpha = np.zeros((height, width))
    start = np.array(row["start"], dtype=float)
    along = np.array(row.get("end", row["start"]), dtype=float) - start
    for y in range(height):
        for x in range(width):
            off = np.array([x + 0.5, y + 0.5]) - start
            t = min(max(off @ along / max(along @ along, 1e-12), 0), 1)
            alpha[y, x] = min(max(row["radius"] + 0.5 - np.linalg.norm(off - t * along), 0), 1)
    return alpha


@pytest.mark.parametrize(
    "row",
    [
        {"start": (3.2, 4.7), "end": (15.1, 11.3), "radius": 1.5},
        {"start": (15.1, 2.0), "end": (3.0, 13.9), "radius": 0.5},
        {"start": (4.0, 8.0), "end": (14.0, 8.0), "radius": 1.0},
        {"start": (9.5, 1.0), "end": (9.5, 14.0), "radius": 2.0},
        {"start": (9.3, 7.7), "radius": 3.0},
        {"start": (-6.0, -3.0), "end": (30.0, 21.0), "radius": 2.0},
        {"start": (-3e3, 5.0), "end": (3e3, 6.0), "radius": 1.0},
        {"start": (50.0, 50.0), "radius": 4.0},
    ],
)
def test_a_stroke_equals_a_loop_over_all_pixels(row: dict[str, Any]) -> None:
    canvas = np.zeros((1, 16, 20, 3), dtype=np.float32)
    paint(canvas, strokes(row))
    np.testing.assert_allclose(canvas[0, ..., 1], naive_capsule(16, 20, row), atol=1e-3)


def test_a_stroke_paints_its_own_frame_only() -> None:
    canvas = np.zeros((3, 8, 8, 3), dtype=np.float32)
    paint(canvas, strokes({"frame": 1, "start": (4, 4), "radius": 2}))
    assert canvas[1].max() == 1
    assert canvas[[0, 2]].max() == 0


def test_the_later_of_two_solid_strokes_is_on_top() -> None:
    canvas = np.zeros((1, 8, 8, 3), dtype=np.float32)
    red = {"start": (4, 4), "radius": 3.5, "colour": (1, 0, 0)}
    blue = {"start": (4, 4), "radius": 2, "colour": (0, 0, 1)}
    paint(canvas, strokes(red, blue))
    np.testing.assert_array_equal(canvas[0, 4, 4], (0, 0, 1))
    np.testing.assert_array_equal(canvas[0, 4, 1], (1, 0, 0))


def test_the_edge_of_a_stroke_blends_with_what_is_below() -> None:
    canvas = np.full((1, 5, 5, 3), 0.5, dtype=np.float32)
    paint(canvas, strokes({"start": (2.5, 2.5), "radius": 0.25}))
    np.testing.assert_allclose(canvas[0, 2, 2], 0.5 + 0.75 * 0.5, atol=1e-4)


def test_the_light_of_a_disc_is_its_area() -> None:
    canvas = np.zeros((1, 40, 40, 1), dtype=np.float32)
    disc = Strokes(
        np.array([0]), np.array([[20.2, 19.7]]), np.array([[20.2, 19.7]]), np.array([8.0]), np.ones((1, 1))
    )
    paint(canvas, disc)
    assert canvas.sum() == pytest.approx(np.pi * 64, rel=0.01)


def test_no_strokes_leave_the_canvas_alone() -> None:
    canvas = np.zeros((1, 4, 4, 3), dtype=np.float32)
    nothing = Strokes(
        np.zeros(0, dtype=int), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros((0, 3))
    )
    paint(canvas, nothing)
    assert canvas.max() == 0


def test_coverage_adds_up_to_the_length_inside() -> None:
    low, high = np.array([0.3, -2.0, 3.4, 7.0]), np.array([2.1, 1.5, 3.6, 99.0])
    covered = coverage(low, high, cells=8)
    np.testing.assert_allclose(covered.sum(axis=1), [1.8, 1.5, 0.2, 1.0], atol=1e-5)
    np.testing.assert_allclose(covered[0, :3], [0.7, 1.0, 0.1], atol=1e-6)


def test_a_box_keeps_its_area_and_a_box_of_nan_is_empty() -> None:
    boxes = np.array([[1.25, 2.5, 4.0, 2.9], [np.nan] * 4])
    masks = fill_boxes(boxes, height=6, width=5)
    assert masks[0].sum() == pytest.approx(2.75 * 0.4, abs=1e-5)
    assert masks[1].max() == 0
