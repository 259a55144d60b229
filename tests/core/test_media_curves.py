"""A plot shows each curve where its values are."""

import numpy as np

from cyberhost_core.media.curves import HEIGHT_PX, WIDTH_PX, draw_curves

BLUE, ORANGE = (92, 164, 255), (255, 170, 70)


def rows_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows below the captions that hold this colour."""
    return np.flatnonzero((picture == colour).all(axis=-1)[30:].any(axis=1)) + 30


def test_the_higher_curve_is_drawn_above_the_lower_one() -> None:
    picture = draw_curves({"left": np.full(20, 30.0), "right": np.full(20, 10.0)}, title="clarity")
    assert picture.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert picture.dtype == np.uint8
    assert rows_of(picture, BLUE).max() < rows_of(picture, ORANGE).min()


def test_a_curve_spans_the_width_and_a_single_value_is_a_dot_in_the_middle() -> None:
    columns = [
        np.flatnonzero((draw_curves({"left": values}, title="x") == BLUE).all(-1)[30:].any(axis=0))
        for values in (np.array([1.0, 2.0, 3.0]), np.array([2.0]))
    ]
    assert np.ptp(columns[0]) > 500
    assert np.ptp(columns[1]) < 10


def test_curves_of_zeros_can_be_drawn() -> None:
    assert rows_of(draw_curves({"left": np.zeros(100)}, title="x"), BLUE).min() > HEIGHT_PX - 40
