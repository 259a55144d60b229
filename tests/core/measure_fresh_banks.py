"""How a fresh RAM of the paper's sizes attends to its fresh banks, by how the basis is made.

    python -m tests.core.measure_fresh_banks

Prints the table of docs/decisions/0002-reading-the-paper.md.
"""

import sys

import torch

from cyberhost_core.backbone.conditions import Conditions, Taps
from cyberhost_core.backbone.latents_bank import BankConfig
from cyberhost_core.backbone.ops import TORCH_OPS
from cyberhost_core.backbone.region_attention import (
    BANK_KEYS,
    BANK_QUERIES,
    RegionAttention,
    RegionAttentionConfig,
)
from cyberhost_core.backbone.site import Site
from cyberhost_core.exams.bank_attention import entropies

FRAMES, HIGH, WIDE, CHANNELS = 12, 20, 12, 320


@torch.no_grad()
def measure(bank: BankConfig) -> str:
    """One row: lengths, logits, entropy, F_latent before its last projection."""
    torch.manual_seed(0)
    config = RegionAttentionConfig(region="hands", banks=(bank,), identity_dim=0)
    site = Site(
        block="down_blocks.0", index=0, stage=0, channels=CHANNELS, embedding_dim=1280, norm_groups=32
    )
    ram = RegionAttention(config, site=site, ops=TORCH_OPS).eval()
    part = ram.attentions["latent"]
    refined = []
    part.to_out.register_forward_hook(lambda _module, given, _out: refined.append(given[0]))
    taps = Taps(frozenset({BANK_QUERIES, BANK_KEYS}))
    ram(torch.randn(FRAMES, CHANNELS, HIGH, WIDE), Conditions(frames=FRAMES, taps=taps))
    (q,), (k,) = (taps.values[kind].values() for kind in (BANK_QUERIES, BANK_KEYS))
    heads = config.heads
    logits = torch.einsum("nhd,lhd->hnl", q.unflatten(-1, (heads, -1)), k.unflatten(-1, (heads, -1)))
    logits = logits / (config.width / heads) ** 0.5
    lengths = part.banks[bank.axis]().norm(dim=1)
    f_latent = refined[0].flatten(0, -2)
    return (
        f"{bank.axis:9} {bank.basis:12} length {lengths.min():.2f} to {lengths.max():.2f}, logits "
        f"{logits.std():.4f}, entropy {entropies(q, k, heads=heads).mean():.5f}, F_latent "
        f"{f_latent.square().mean().sqrt():.4f}, of it by token {f_latent.std(dim=0).mean():.5f}"
    )


if __name__ == "__main__":
    for axis in ("spatial", "temporal"):
        for basis in ("orthonormal", "orthogonal"):
            sys.stdout.write(measure(BankConfig(axis=axis, basis=basis)) + "\n")
