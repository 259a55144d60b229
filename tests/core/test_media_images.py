"""Pictures: what a viewer shows on a white page is what comes out, and contact sheets show every frame."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyberhost_core.errors import ImageError, MediaError
from cyberhost_core.media.contact_sheet import GAP_PX, contact_sheet, evenly_spaced
from cyberhost_core.media.images import read_image, save_png

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (40, 48, 3), dtype=np.uint8)


def test_a_written_png_comes_back_as_it_was(tmp_path: Path) -> None:
    save_png(tmp_path / "new" / "a.png", IMAGE)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), IMAGE)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_transparent_pixels_show_the_white_page(tmp_path: Path) -> None:
    layered = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 255, np.uint8)])
    layered[:20, :, 3] = 0
    layered[20:30, :, 3] = 128
    Image.fromarray(layered).save(tmp_path / "a.png")
    seen = read_image(tmp_path / "a.png").astype(float)
    assert (seen[:20] == 255).all()
    np.testing.assert_allclose(seen[20:30], IMAGE[20:30] * (128 / 255) + 127, atol=1.5)
    np.testing.assert_array_equal(seen[30:], IMAGE[30:])


def test_a_palette_with_a_transparent_colour_shows_white_there(tmp_path: Path) -> None:
    picture = Image.fromarray(np.repeat(np.arange(40, dtype=np.uint8)[:, None], 48, axis=1), mode="P")
    picture.putpalette([value for index in range(256) for value in (index, 0, 255 - index)])
    picture.save(tmp_path / "a.png", transparency=3)
    seen = read_image(tmp_path / "a.png")
    assert (seen[3] == 255).all()
    assert (seen[5] == (5, 0, 250)).all()


@pytest.mark.parametrize(
    ("orientation", "turned"), [(3, np.rot90(IMAGE, 2)), (6, np.rot90(IMAGE, 3)), (2, IMAGE[:, ::-1])]
)
def test_a_photo_is_turned_upright(tmp_path: Path, orientation: int, turned: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(IMAGE).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), turned)


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "LA", "RGBA", "P"])
def test_every_usual_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str) -> None:
    Image.fromarray(IMAGE).convert(mode).save(tmp_path / "a.tiff")
    assert read_image(tmp_path / "a.tiff").shape == IMAGE.shape


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, name: str) -> None:
    grey_YX = np.linspace(0, 65535, 40 * 48).reshape(40, 48).astype(np.uint16)
    Image.fromarray(grey_YX).save(tmp_path / name)
    seen = read_image(tmp_path / name)
    np.testing.assert_array_equal(seen[..., 0], grey_YX // 257)
    np.testing.assert_array_equal(seen[..., 0], seen[..., 2])


def test_the_array_belongs_to_the_caller(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", IMAGE)
    read_image(tmp_path / "a.png")[0, 0] = 0


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no picture .*gone\.png"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("content", [b"", b"just some words", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_no_picture_is_an_image_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.tiff"])
def test_a_picture_that_is_cut_short_is_an_image_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(IMAGE).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=name):
        read_image(path)


@pytest.mark.parametrize("size", [(31, 64), (64, 8), (16_385, 40)])
def test_a_picture_outside_the_usable_sizes_is_refused_with_its_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.new("L", size).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=f"{size[0]} x {size[1]} pixels"):
        read_image(tmp_path / "a.png")


def test_an_unwritable_png_is_a_media_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(MediaError, match="Cannot write"):
        save_png(tmp_path / "file" / "a.png", IMAGE)


def test_a_contact_sheet_shows_every_frame_in_reading_order() -> None:
    frames_FYXC = RNG.integers(0, 255, (5, 6, 4, 3), dtype=np.uint8)
    sheet_YXC = contact_sheet(frames_FYXC, columns=3, scale=2)
    assert sheet_YXC.shape == (2 * (12 + GAP_PX) + GAP_PX, 3 * (8 + GAP_PX) + GAP_PX, 3)
    for index in range(5):
        top, left = GAP_PX + index // 3 * (12 + GAP_PX), GAP_PX + index % 3 * (8 + GAP_PX)
        for y in range(12):
            for x in range(8):
                assert (sheet_YXC[top + y, left + x] == frames_FYXC[index, y // 2, x // 2]).all()
    assert (sheet_YXC[-12:, -8:] == 255).all()


def test_a_contact_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(MediaError, match="0 frames"):
        contact_sheet(np.zeros((0, 4, 4, 3), np.uint8), columns=3)


def test_evenly_spaced_frames_start_and_end_with_the_video() -> None:
    assert evenly_spaced(4, frames=100).tolist() == [0, 33, 66, 99]
    assert evenly_spaced(12, frames=3).tolist() == [0, 1, 2]
    assert evenly_spaced(1, frames=9).tolist() == [0]
