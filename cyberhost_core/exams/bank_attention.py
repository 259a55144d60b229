"""How sharply each region attends to its latents banks: the entropy of attention, layer by layer.

portrait and voice -> conditions -> denoiser at some noise levels -> queries and keys of every bank -> entropy

Attention that chooses nothing has the highest entropy, the logarithm of the number of vectors: all tokens
then take the same average of the bank, wherever they are and whatever they show.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from .. import bundled
from ..backbone.conditions import Conditions, Taps
from ..backbone.region_attention import BANK_KEYS, BANK_QUERIES, RegionAttentionConfig
from ..diffusion.schedule import NoiseSchedule
from ..errors import ConfigError
from ..media.audio import read_sound
from ..media.images import read_image
from ..pipeline.options import GenerateOptions
from ..pipeline.talker import Talker
from ..reports.tables import aligned

NOISE_LEVELS = (100, 500, 900)  # timesteps of training
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class BankAttention:
    """One bank of one layer; entropies are shares of the highest, 1 = chooses nothing.

    lowest: of a single token in a single head
    """

    layer: str
    bank: str
    vectors: int
    entropy: float
    lowest: float


@dataclass(frozen=True, kw_only=True)
class BankReport:
    """All banks of a system."""

    title: str
    banks: tuple[BankAttention, ...]

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as an aligned table."""
        head = ("layer", "bank", "vectors", "entropy", "lowest")
        rows = [
            (one.layer, one.bank, str(one.vectors), f"{one.entropy:.4f}", f"{one.lowest:.4f}")
            for one in self.banks
        ]
        unit = "Entropy in shares of the highest; 1: nothing is chosen"
        return "\n".join([self.title, unit, "", *aligned([head, *rows], left=(0, 1))])


@torch.no_grad()
def examine_banks(checkpoint: Path) -> BankReport:
    """Look at one segment of the first bundled portrait and voice.

    Raises:   ConfigError: the system has no banks, or needs more than a portrait and a voice
    """
    talker = Talker.load(checkpoint)
    rams = [layer for layer in talker.spec.unet.layers if isinstance(layer, RegionAttentionConfig)]
    if not any(ram.banks for ram in rams):
        raise ConfigError(f"'{talker.spec.name}' has no latents banks; give weights of a system that has.")
    seen = list(_looks(talker))
    banks = []
    for layer in seen[0].values[BANK_QUERIES]:
        entropy = torch.stack(
            [
                entropies(taps.values[BANK_QUERIES][layer], taps.values[BANK_KEYS][layer], heads=heads)
                for taps in seen
                for heads in {ram.heads for ram in rams if f".{ram.slot}." in layer}
            ]
        )
        path, axis = layer.rsplit(".", 1)
        banks.append(
            BankAttention(
                layer=path,
                bank=axis,
                vectors=len(seen[0].values[BANK_KEYS][layer]),
                entropy=float(entropy.mean()),
                lowest=float(entropy.min()),
            )
        )
    return BankReport(title=f"Attention to the latents banks of {talker.spec.name}", banks=tuple(banks))


def entropies(queries_ND: Tensor, keys_LD: Tensor, *, heads: int) -> Tensor:
    """Entropy of softmax(Q K^T / sqrt(d)) of every query in every head, in shares of log L.

    Shapes:   -> (heads, N)
    """
    q, k = (x.unflatten(-1, (heads, -1)).transpose(0, 1).float() for x in (queries_ND, keys_LD))
    logs = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).log_softmax(dim=-1)
    return -(logs.exp() * logs).sum(dim=-1) / math.log(len(keys_LD))


def _looks(talker: Talker) -> Iterator[Taps]:
    """Run the denoiser once per noise level, on the portrait standing still."""
    frames, options = talker.spec.long_video.frames, GenerateOptions(seed=_SEED)
    portrait = talker.portrait(read_image(bundled.portraits()[0]), options)
    reference = talker.reference(portrait)
    track = talker.track(read_sound(bundled.speech()[0]), portrait, options)
    latents_FCHW = reference["latents"].expand(frames, -1, -1, -1)
    generator = torch.Generator().manual_seed(_SEED)
    noise = torch.randn(latents_FCHW.shape, generator=generator)
    levels = NoiseSchedule(talker.spec.schedule)
    for level in NOISE_LEVELS:
        taps = Taps(frozenset({BANK_QUERIES, BANK_KEYS}))
        timestep = torch.tensor([level])
        conditions: Conditions = talker.model.conditions(reference, track.of(range(frames)), taps=taps)
        talker.model.denoiser(levels.add_noise(latents_FCHW, noise, timestep), timestep, conditions)
        yield taps
