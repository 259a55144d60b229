"""A site: the place in a U-Net where a list of layers runs."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Site:
    """Describe one place.

    block is the path of its block ("down_blocks.0", "mid_block"), index its number in that block, stage its
    resolution: 0 the latents', each further one half of it.
    """

    block: str
    index: int
    stage: int
    channels: int
    embedding_dim: int
    norm_groups: int

    @property
    def name(self) -> str:
        """Path that names the site itself, as in "down_blocks.0.1"; mid_block has one site, "mid_block.0"."""
        return f"{self.block}.{self.index}"

    def path(self, slot: str) -> str:
        """Module path of the layer in a slot, as in "down_blocks.0.attentions.1"."""
        return f"{self.block}.{slot}.{self.index}"
