"""The region attention module (RAM): what all hands share, what this person's look like, and where they are.

    x -> queries -> attention to L_spa -+
                 -> attention to L_temp +-> F_latent -+
                 -> attention to R(I_r) ----> F_id ---+-> * M_pred -> + x
    x -> convolutions -> sigmoid -> M_pred

Source: CyberHost section 3.2, equations 2-5; sizes in appendix E; the parts that table 1, table 5 and table 6
remove are entries of the configuration: a missing bank, an identity width of 0, a shorter list of sites.
Reads:    one query projection serves both banks (eq. 3 writes one Q); the identity attention has its own.
          Where the paper is silent: layer norm before the queries, 8 heads, outputs start at zero so that a
          fresh RAM changes nothing.
"""

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..config import Config
from .conditions import Conditions, identity_of
from .latents_bank import BankConfig, LatentsBank, Tokens
from .ops import Ops, zero_init
from .site import Site

BANK_QUERIES, BANK_KEYS = "bank queries", "bank keys"  # what taps may collect of every bank
PAPER_BANKS = (BankConfig(axis="spatial"), BankConfig(axis="temporal"))


class RegionAttentionConfig(Config):
    """One RAM for one region; sites None means every site, else only the named ones ("down_blocks.0.1")."""

    kind: Literal["region_attention"] = "region_attention"
    region: str
    width: int = 512
    heads: int = 8
    banks: tuple[BankConfig, ...] = PAPER_BANKS
    identity_dim: int = 512
    mask_width: int = 64
    sites: tuple[str, ...] | None = None

    @property
    def slot(self) -> str:
        return f"{self.region}_attentions"

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({identity_of(self.region)} if self.identity_dim else ())

    def runs_at(self, site: Site) -> bool:
        return self.sites is None or site.name in self.sites

    def build(self, site: Site, ops: Ops) -> "RegionAttention":
        return RegionAttention(self, site=site, ops=ops)


class RegionAttention(nn.Module):
    """Refine one region of the feature, equation 5.

    Shapes:   x (B * F, C, H, W) -> same; identity tokens (B, R, identity_dim)
    """

    def __init__(self, config: RegionAttentionConfig, *, site: Site, ops: Ops) -> None:
        super().__init__()
        self.region, self.path = config.region, site.path(config.slot)
        self.norm = ops.LayerNorm(site.channels)
        self.mask_predictor = MaskPredictor(site.channels, config.mask_width, ops)
        # Named, not numbered: a part keeps its names in a system that lacks another.
        self.attentions = nn.ModuleDict()
        if config.banks:
            self.attentions["latent"] = _BankAttention(config, site, ops)
        if config.identity_dim:
            self.attentions["identity"] = _IdentityAttention(config, site, ops)

    def forward(self, x_NCHW: Tensor, conditions: Conditions) -> Tensor:
        logits_N1HW = self.mask_predictor(x_NCHW)
        conditions.taps.put("mask", self.path, logits_N1HW)
        n_NSC = self.norm(x_NCHW.flatten(2).transpose(1, 2))
        tokens = Tokens(frames=conditions.frames, high=x_NCHW.shape[2], wide=x_NCHW.shape[3])
        parts = self.attentions.values()
        refined = sum((attend(n_NSC, tokens, conditions) for attend in parts), torch.zeros_like(n_NSC))
        refined_NCHW = refined.transpose(1, 2).unflatten(2, x_NCHW.shape[2:])
        out = x_NCHW + refined_NCHW * logits_N1HW.sigmoid()  # eq. 5
        conditions.taps.put(self.region, self.path, out)
        return out


class MaskPredictor(nn.Module):
    """Predict where the region is from the feature alone, as logits of M_pred."""

    def __init__(self, channels: int, width: int, ops: Ops) -> None:
        super().__init__()
        self.conv_in = ops.Conv2d(channels, width, 3, padding=1)
        self.conv_out = ops.Conv2d(width, 1, 3, padding=1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.conv_out(nnf.silu(self.conv_in(x_NCHW)))


class _BankAttention(nn.Module):
    """F_latent of equations 2 and 3."""

    def __init__(self, config: RegionAttentionConfig, site: Site, ops: Ops) -> None:
        super().__init__()
        self.path, channels = site.path(config.slot), site.channels
        self.heads, self.attention, width = config.heads, ops.attention, config.width
        self.to_q = ops.Linear(channels, width, bias=False)
        self.banks = nn.ModuleDict({bank.axis: LatentsBank(bank, width) for bank in config.banks})
        self.to_k = nn.ModuleDict({axis: ops.Linear(width, width, bias=False) for axis in self.banks})
        self.to_v = nn.ModuleDict({axis: ops.Linear(width, width, bias=False) for axis in self.banks})
        self.to_out = zero_init(ops.Linear(width, channels))

    def forward(self, n_NSC: Tensor, tokens: Tokens, conditions: Conditions) -> Tensor:
        # Queries carry their places themselves, so those of all frames and clips ask in one attention.
        q_NSD = self.to_q(n_NSC)
        latent = torch.zeros_like(q_NSD).flatten(0, 1)[None]
        for axis, bank in cast("dict[str, LatentsBank]", self.banks).items():
            basis = bank().to(n_NSC)  # a host may keep its layers in another precision, or elsewhere
            k, v = bank.turn_keys(self.to_k[axis](basis), heads=self.heads), self.to_v[axis](basis)
            q = bank.turn_queries(q_NSD, tokens, heads=self.heads).flatten(0, 1)
            conditions.taps.put(BANK_QUERIES, f"{self.path}.{axis}", q)
            conditions.taps.put(BANK_KEYS, f"{self.path}.{axis}", k)
            latent = latent + self.attention(q[None], k[None], v[None], self.heads)
        return self.to_out(latent)[0].view_as(n_NSC)


class _IdentityAttention(nn.Module):
    """F_id of equation 4."""

    def __init__(self, config: RegionAttentionConfig, site: Site, ops: Ops) -> None:
        super().__init__()
        self.region, self.path = config.region, site.path(config.slot)
        self.heads, self.attention = config.heads, ops.attention
        self.to_q = ops.Linear(site.channels, config.width, bias=False)
        self.to_k = ops.Linear(config.identity_dim, config.width, bias=False)
        self.to_v = ops.Linear(config.identity_dim, config.width, bias=False)
        self.to_out = zero_init(ops.Linear(config.width, site.channels))

    def forward(self, n_NSC: Tensor, _tokens: Tokens, conditions: Conditions) -> Tensor:
        tokens_BRD = conditions.identity[self.region]
        clips = len(tokens_BRD)
        q = self.to_q(n_NSC).unflatten(0, (clips, conditions.frames)).flatten(1, 2)
        k, v = conditions.once_per_clip(
            self.path, "identity", lambda: (self.to_k(tokens_BRD), self.to_v(tokens_BRD))
        )
        out = self.to_out(self.attention(q, k, v, self.heads))
        # A pass without the reference has no identity tokens either: its F_id is nothing at all.
        kept = torch.tensor(conditions.reference_rows, device=out.device, dtype=out.dtype)
        return (out * kept[:, None, None]).view_as(n_NSC)
