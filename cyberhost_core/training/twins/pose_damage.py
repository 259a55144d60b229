"""Ways in which a picture of a person goes wrong, for teaching a detector what is not there.

erase_hands        a hand becomes a blob, a smear, a piece of something else
erase_patch        something stands in front
picture_of_nobody  an empty room, noise, a person cut to pieces
degraded           blur, blocks, noise, another light: everything is still to be found
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nnf

from ...perception.wholebody import LEFT_HAND, RIGHT_HAND

HAND_ERASED = 0.12  # share of hands
HAND_MARGIN_PX = 3  # beyond the points: a fingertip is drawn around its point


def erase_hands(frame_YXC: np.ndarray, points_KC: np.ndarray, *, rng: np.random.Generator) -> None:
    """Spoil some hands in place; every point under the spoilt rectangle is unseen from then on."""
    for hand in (LEFT_HAND, RIGHT_HAND):
        seen_KC = points_KC[hand][points_KC[hand, 2] > 0]
        if len(seen_KC) and rng.random() < HAND_ERASED:
            low = seen_KC[:, :2].min(axis=0) - HAND_MARGIN_PX
            high = seen_KC[:, :2].max(axis=0) + HAND_MARGIN_PX + 1
            skin = _colours_at(frame_YXC, seen_KC).mean(axis=0)
            area = _clipped(frame_YXC, low=low, high=high)
            _spoil(frame_YXC, area, skin=skin, rng=rng)
            _forget(points_KC, area)


def erase_patch(frame_YXC: np.ndarray, points_KC: np.ndarray, *, rng: np.random.Generator) -> None:
    """Put a flat or noisy rectangle before the picture, in place."""
    height, width = frame_YXC.shape[:2]
    size = rng.uniform(0.1, 0.45, size=2) * (width, height)
    low = rng.uniform(0, 1, size=2) * (width, height) - size / 2
    area = _clipped(frame_YXC, low=low, high=low + size)
    patch = frame_YXC[area]
    colour = rng.integers(0, 256, size=3) + rng.normal(0, rng.choice([0, 30]), size=patch.shape)
    patch[:] = np.clip(colour, 0, 255)
    _forget(points_KC, area)


def picture_of_nobody(frame_YXC: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Make a picture of the same size with no person in it."""
    height, width = frame_YXC.shape[:2]
    kind = rng.integers(4)
    if kind == 0:  # a person cut into squares that were shuffled
        cuts = frame_YXC[: height // 16 * 16, : width // 16 * 16].reshape(
            height // 16, 16, width // 16, 16, 3
        )
        squares = rng.permutation(cuts.transpose(0, 2, 1, 3, 4).reshape(-1, 16, 16, 3))
        shuffled = squares.reshape(height // 16, width // 16, 16, 16, 3).transpose(0, 2, 1, 3, 4)
        return np.resize(shuffled.reshape(height // 16 * 16, width // 16 * 16, 3), frame_YXC.shape)
    if kind == 1:  # the background alone: what the corners show
        first, second = frame_YXC[2, 2].astype(float), frame_YXC[2, -3].astype(float)
        ramp = np.linspace(0, 1, width)[:, None]
        return np.broadcast_to((first + (second - first) * ramp).astype(np.uint8), frame_YXC.shape)
    if kind == 2:  # coloured clouds
        coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, *rng.integers(1, 12, size=2))))
        clouds = nnf.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
        return clouds[0].permute(1, 2, 0).numpy().astype(np.uint8)
    flat = rng.integers(0, 256, size=3) + rng.normal(0, rng.choice([0, 10, 60]), size=frame_YXC.shape)
    return np.clip(flat, 0, 255).astype(np.uint8)


def degraded(frames_NYXC: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Blur, block, relight and grain pictures, each its own way; a third of them stay as they are."""
    count = len(frames_NYXC)
    touched = torch.from_numpy(rng.random((count, 1, 1, 1)) < 0.67)

    def roll(low: float, high: float, *shape: int, share: float = 1.0) -> Tensor:
        """Draw per picture; a picture outside the share keeps `low`."""
        value = rng.uniform(low, high, (count, *shape)) * (rng.random((count, *[1] * len(shape))) < share)
        return torch.from_numpy(value.astype(np.float32))

    clean = torch.from_numpy(frames_NYXC).permute(0, 3, 1, 2).float()
    blurred = nnf.avg_pool2d(nnf.pad(clean, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    frames = torch.lerp(clean, blurred, roll(0.0, 1.0, 1, 1, 1, share=0.4))
    blocks = nnf.interpolate(nnf.avg_pool2d(frames, 4), scale_factor=4.0)
    frames = torch.lerp(frames, blocks, roll(0.0, 0.4, 1, 1, 1, share=0.25))
    frames = frames * (1 + roll(-0.2, 0.2, 3, 1, 1)) + roll(-20, 20, 1, 1, 1)
    grain = torch.from_numpy(rng.standard_normal(frames.shape, dtype=np.float32))
    frames = frames + grain * roll(0.0, 14.0, 1, 1, 1, share=0.5)
    frames = torch.where(touched, frames, clean)
    return frames.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _spoil(
    frame_YXC: np.ndarray, area: tuple[slice, slice], *, skin: np.ndarray, rng: np.random.Generator
) -> None:
    """Draw something that is no hand where a hand was."""
    patch_YXC = frame_YXC[area]
    height, width = patch_YXC.shape[:2]
    kind = rng.integers(3)
    if kind == 0:  # a smear: so coarse that fingers cannot be told apart
        image = torch.from_numpy(patch_YXC.copy()).permute(2, 0, 1)[None].float()
        coarse = nnf.adaptive_avg_pool2d(image, (max(1, height // 7), max(1, width // 7)))
        smear = nnf.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
        patch_YXC[:] = smear[0].permute(1, 2, 0).numpy()
        return
    y = rng.integers(frame_YXC.shape[0] - height + 1)
    x = rng.integers(frame_YXC.shape[1] - width + 1)
    patch_YXC[:] = frame_YXC[y : y + height, x : x + width].copy()
    if kind == 1:  # a blob of skin on top
        rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        radii = rng.uniform(0.4, 0.9, size=2)
        blob = np.clip((1.1 - np.hypot(columns / radii[0], rows / radii[1])) * 5, 0, 1)[..., None]
        patch_YXC[:] = patch_YXC * (1 - blob) + skin * blob


def _colours_at(frame_YXC: np.ndarray, points_KC: np.ndarray) -> np.ndarray:
    height, width = frame_YXC.shape[:2]
    x, y = points_KC[:, :2].astype(int).T
    return frame_YXC[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].astype(float)


def _clipped(frame_YXC: np.ndarray, *, low: np.ndarray, high: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a box, at least one pixel, inside the picture."""
    height, width = frame_YXC.shape[:2]
    x0, y0 = np.clip(np.floor(low), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(high), (x0 + 1, y0 + 1), (width, height)).astype(int)
    return slice(y0, y1), slice(x0, x1)


def _forget(points_KC: np.ndarray, area: tuple[slice, slice]) -> None:
    """Mark the points inside an area as unseen, in place."""
    rows, columns = area
    x, y = points_KC[:, 0], points_KC[:, 1]
    points_KC[(x >= columns.start) & (x < columns.stop) & (y >= rows.start) & (y < rows.stop), 2] = 0
