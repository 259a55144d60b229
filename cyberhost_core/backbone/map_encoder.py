"""Encoders of drawn conditions: movement map, skeleton map, hand crops.

    map -> (unshuffle) -> 3x3 conv -> { 3x3 conv, strided 3x3 conv } per level -> 3x3 conv that starts at zero

Source: CyberHost section 3.1 (both pose encoders share this architecture but for the first layer), 3.2 (the
hand encoder: "a structure similar to the Pose Encoder but with deeper blocks"); layout and names of the
public relatives' PoseGuider.
"""

from torch import Tensor, nn
from torch.nn import functional as nnf

from ..config import Config
from .ops import Ops, zero_init


class MapEncoderConfig(Config):
    """Sizes; each width but the last is followed by a stride of 2.

    patch > 1 folds patch x patch pixels into channels first: small models on CPU cannot afford full-size
    convolutions.
    """

    channels_in: int = 3
    patch: int = 1
    widths: tuple[int, ...] = (16, 32, 96, 256)
    depth: int = 1  # convolutions before each stride: 1 for maps, 2 for hand crops ("deeper blocks")

    @property
    def stride(self) -> int:
        """Pixels per side of one cell of the result."""
        return self.patch * 2 ** (len(self.widths) - 1)


class MapEncoder(nn.Module):
    """Encode maps to features of the U-Net's first width.

    Shapes:   (N, 3, Y, X) in 0..1 -> (N, channels_out, Y / stride, X / stride), stride =
              patch * 2^(widths - 1)
    """

    def __init__(self, config: MapEncoderConfig, channels_out: int, *, ops: Ops) -> None:
        super().__init__()
        first, last = config.widths[0], config.widths[-1]
        self.patch = config.patch
        self.conv_in = ops.Conv2d(config.channels_in * config.patch**2, first, 3, padding=1)
        self.blocks = nn.ModuleList()
        for width, wider in zip(config.widths[:-1], config.widths[1:], strict=True):
            for _ in range(config.depth):
                self.blocks.append(ops.Conv2d(width, width, 3, padding=1))
            self.blocks.append(ops.Conv2d(width, wider, 3, stride=2, padding=1))
        self.conv_out = zero_init(ops.Conv2d(last, channels_out, 3, padding=1))

    def forward(self, maps_NCYX: Tensor) -> Tensor:
        return self.conv_out(self.features(maps_NCYX))

    def features(self, maps_NCYX: Tensor) -> Tensor:
        """The feature before the last convolution."""
        h = nnf.silu(self.conv_in(nnf.pixel_unshuffle(maps_NCYX, self.patch)))
        for block in self.blocks:
            h = nnf.silu(block(h))
        return h


class HandEncoder(nn.Module):
    """Describe a person's hands by tokens: the regional image encoder R of equation 4, for hands.

    Shapes:   crops (B, 2, 3, 128, 128) in 0..1, left then right -> (B, 2 * R, D)
    """

    def __init__(self, config: MapEncoderConfig, token_dim: int, *, ops: Ops) -> None:
        super().__init__()
        self.encoder = MapEncoder(config, token_dim, ops=ops)
        # Unlike a map's, a descriptor's output must not start at zero: zero keys and values get no gradient.
        nn.init.kaiming_normal_(self.encoder.conv_out.weight)
        self.norm = ops.LayerNorm(token_dim)

    def forward(self, crops_BHCYX: Tensor) -> Tensor:
        tokens = self.encoder(crops_BHCYX.flatten(0, 1)).flatten(2).transpose(1, 2)
        return self.norm(tokens).unflatten(0, (-1, 2)).flatten(1, 2)
