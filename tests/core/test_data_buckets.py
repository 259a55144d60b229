"""Buckets: sizes of about one area on a grid, of which a picture gets the one that crops it least."""

import pytest

from cyberhost_core.data.buckets import Size, bucket_sizes, nearest_size
from cyberhost_core.errors import ConfigError

PAPER = Size(640, 384)


def cropped(own: Size, size: Size) -> float:
    """The share of a picture that is lost when it is cropped to the proportions of a size."""
    ratio = (own.width / own.height) / (size.width / size.height)
    return 1 - min(ratio, 1 / ratio)


def test_the_papers_sizes_have_about_its_area_on_a_grid_of_64() -> None:
    sizes = bucket_sizes(PAPER, unit=64)
    assert PAPER in sizes and Size(512, 512) in sizes and Size(384, 640) in sizes
    for size in sizes:
        assert size.height % 64 == size.width % 64 == 0
        assert size.height * size.width == pytest.approx(640 * 384, rel=0.1)
        assert max(size) <= 2 * min(size)
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize(
    ("own", "size"),
    [
        (Size(1080, 1920), Size(384, 704)),
        (Size(1920, 1080), Size(704, 384)),
        (Size(1000, 1000), Size(512, 512)),
        (Size(1280, 768), PAPER),
        (Size(900, 700), Size(576, 448)),
    ],
)
def test_a_picture_gets_the_size_that_crops_it_least(own: Size, size: Size) -> None:
    sizes = bucket_sizes(PAPER, unit=64)
    assert nearest_size(sizes, own) == size
    assert cropped(own, size) == min(cropped(own, each) for each in sizes)
    assert cropped(own, size) < cropped(own, PAPER) or size == PAPER


def test_a_base_beyond_the_usual_proportions_is_among_its_sizes() -> None:
    assert Size(1024, 256) in bucket_sizes(Size(1024, 256), unit=64)


@pytest.mark.parametrize(
    ("base", "unit", "words"),
    [
        (Size(128, 96), 64, "both sides must be multiples of 64; take a width of 128 and a height of 128"),
        (PAPER, 12, "multiples of 12 px were asked for, but a multiple of 8 was expected"),
        (PAPER, 0, "multiples of 0 px"),
    ],
)
def test_what_makes_no_grid_is_refused(base: Size, unit: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        bucket_sizes(base, unit=unit)
