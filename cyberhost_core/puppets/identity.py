"""Roll a puppet's looks from a seed: skin, hair, clothes, glasses, background, proportions.

Lengths are multiples of the standard puppet (1.0); colours are RGB 0..255. The same seed is the same puppet
for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

HAIR_STYLES = ("bald", "short", "fringe", "bob", "long", "bun", "afro", "mohawk")
CLOTHES = ("plain", "stripes", "collar", "jacket")
BACKGROUNDS = ("plain", "gradient", "circles", "window", "panels")

DARKEST_LUMA, LIGHTEST_LUMA = 38.0, 224.0
# Natural browns from very dark to very light; skin_colour walks along them at constant speed in luma.
_SKIN_STOPS = np.array(
    [
        (46, 34, 29),
        (74, 50, 38),
        (108, 72, 50),
        (146, 100, 70),
        (186, 136, 100),
        (222, 176, 142),
        (248, 220, 198),
    ],
    float,
)
_HAIR_COLOURS = (
    (24, 20, 22),
    (62, 38, 24),
    (112, 66, 32),
    (170, 84, 36),
    (222, 182, 96),
    (196, 196, 200),
    (92, 62, 150),
)
_EYE_COLOURS = ((70, 42, 24), (34, 92, 46), (40, 96, 170), (96, 110, 118), (140, 92, 34))
_LUMA = np.array((0.299, 0.587, 0.114))
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Describe one puppet.

    Units:    skin_luminance 0 (very dark) to 1 (very light); *_size factors of the standard puppet; colours
              RGB 0..255
    """

    seed: int
    skin_luminance: float
    skin: Colour
    outline: Colour
    highlight: Colour
    lips: Colour
    eyes: Colour
    hair_style: str
    hair: Colour
    brows: Colour
    clothes_style: str
    clothes: Colour
    trim: Colour
    background_style: str
    background: Colour
    background_second: Colour
    background_layout: tuple[float, float, float]
    glasses: bool
    head_width_size: float
    head_height_size: float
    jaw_size: float
    eye_size: float
    eye_spacing_size: float
    nose_size: float
    mouth_size: float
    shoulder_size: float
    hand_size: float
    finger_size: float


def random_identity(seed: int) -> Identity:
    """Roll the puppet of a seed.

    The skin's luminance walks the golden ratio over the seeds, so that any run of seeds covers 0..1 evenly.
    """
    rng = np.random.default_rng([seed, 0x1D])
    luminance = (0.5 + seed * _GOLDEN) % 1.0
    skin = skin_colour(luminance)
    hair = _jitter(rng, _HAIR_COLOURS[rng.integers(len(_HAIR_COLOURS))], 10)
    clothes = _far_from(rng, others=(skin,), distance=95)
    backdrop = _far_from(rng, others=(skin, clothes, hair), distance=70)
    return Identity(
        seed=seed,
        skin_luminance=luminance,
        skin=skin,
        outline=_mixed(skin, (14, 6, 4), 0.78),
        highlight=_mixed(skin, (255, 236, 214), 0.22 if luminance > 0.3 else 0.3),
        lips=lip_colour(luminance),
        eyes=_EYE_COLOURS[rng.integers(len(_EYE_COLOURS))],
        hair_style=str(rng.choice(HAIR_STYLES, p=(0.08, 0.18, 0.17, 0.15, 0.15, 0.1, 0.12, 0.05))),
        hair=hair,
        brows=_mixed(hair, (20, 14, 12), 0.45),
        clothes_style=str(rng.choice(CLOTHES)),
        clothes=clothes,
        trim=_far_from(rng, others=(skin, clothes), distance=85),
        background_style=str(rng.choice(BACKGROUNDS)),
        background=backdrop,
        background_second=_mixed(backdrop, _jitter(rng, (128, 128, 128), 110), 0.45),
        background_layout=(float(rng.random()), float(rng.random()), float(rng.random())),
        glasses=bool(rng.random() < 0.22),
        head_width_size=rng.uniform(0.93, 1.06),
        head_height_size=rng.uniform(0.95, 1.05),
        jaw_size=rng.uniform(0.8, 1.1),
        eye_size=rng.uniform(0.88, 1.12),
        eye_spacing_size=rng.uniform(0.93, 1.07),
        nose_size=rng.uniform(0.8, 1.25),
        mouth_size=rng.uniform(0.92, 1.08),
        shoulder_size=rng.uniform(0.93, 1.1),
        hand_size=rng.uniform(0.94, 1.08),
        finger_size=rng.uniform(0.94, 1.06),
    )


def skin_colour(luminance: float) -> Colour:
    """Pick the brown whose luma is `luminance` of the way from very dark to very light."""
    luma = DARKEST_LUMA + luminance * (LIGHTEST_LUMA - DARKEST_LUMA)
    stops = _SKIN_STOPS @ _LUMA
    return _colour([np.interp(luma, stops, channel) for channel in _SKIN_STOPS.T])


def lip_colour(luminance: float) -> Colour:
    """Pick a rose that is as far in luma from every skin: lighter than dark skin, darker than light skin."""
    skin_luma = float(np.array(skin_colour(luminance)) @ _LUMA)
    wanted = skin_luma + (58 if luminance < 0.4 else -58)
    rose = np.array((214.0, 84.0, 92.0))
    scale = wanted / (rose @ _LUMA)
    if scale <= 1.0:
        return _colour(rose * scale)
    return _colour(rose + (255 - rose) * (wanted - rose @ _LUMA) / (255 - rose @ _LUMA))


def darker(colour: Colour, share: float) -> Colour:
    """Scale a colour's brightness."""
    return (int(colour[0] * share), int(colour[1] * share), int(colour[2] * share))


def _far_from(rng: np.random.Generator, *, others: tuple[Colour, ...], distance: float) -> Colour:
    """Roll a colour until it stands off from the others; the farthest of 64 where none does."""
    candidates = rng.integers(25, 235, size=(64, 3))
    nearest = np.linalg.norm(candidates[:, None] - np.array(others)[None], axis=-1).min(axis=1)
    good = np.flatnonzero(nearest >= distance)
    return _colour(candidates[good[0] if len(good) else int(nearest.argmax())])


def _jitter(rng: np.random.Generator, colour: Colour, amount: int) -> Colour:
    return _colour(np.array(colour) + rng.integers(-amount, amount + 1, size=3))


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    return _colour(np.array(first) * (1 - share) + np.array(second) * share)


def _colour(channels: Sequence[float] | np.ndarray) -> Colour:
    red, green, blue = np.clip(np.round(channels), 0, 255).astype(int).tolist()
    return (red, green, blue)
