"""Say which identities and voices are for training and which are held out for the bench.

Puppets are drawn from seeds, so a split is a range of seeds; voices are espeak-ng names, so a split is a
list. Nothing may train on the held-out side: every bench number is about people and voices never seen.
"""

from typing import Literal

Split = Literal["train", "held_out"]

TRAIN_IDENTITIES = range(1_000_000)
HELD_OUT_IDENTITIES = range(1_000_000, 1_000_100)

# An espeak-ng voice is "accent+variant". The variants differ between the sides, so that a held-out voice
# has an unheard vocal tract, not only an unheard accent.
_TRAIN_ACCENTS = ("en-us", "en-gb", "en-gb-x-rp", "en-029", "en-gb-x-gbclan")
_TRAIN_VARIANTS = (
    "m1",
    "m3",
    "m4",
    "m6",
    "m7",
    "m8",
    "f1",
    "f2",
    "f4",
    "klatt2",
    "croak",
    "whisper",
    "Andy",
    "Annie",
)
_HELD_OUT_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbcwmd")
_HELD_OUT_VARIANTS = ("m2", "m5", "f3", "f5", "klatt4", "whisperf")

TRAIN_VOICES = tuple(f"{accent}+{variant}" for accent in _TRAIN_ACCENTS for variant in _TRAIN_VARIANTS)
HELD_OUT_VOICES = tuple(
    f"{accent}+{variant}" for accent in _HELD_OUT_ACCENTS for variant in _HELD_OUT_VARIANTS
)


def voices(split: Split) -> tuple[str, ...]:
    """Name the espeak-ng voices of one side of the split."""
    return TRAIN_VOICES if split == "train" else HELD_OUT_VOICES
