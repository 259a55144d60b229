"""The pose discriminator: tells from latents where body and hands are, and so whether they are there at all.

pretrained alone:  latents, blurred and noised --ResNet--> heatmaps, compared with those of the keypoints
as a loss:         one-step estimate of x0     --the same, frozen--> L_pd, whose gradient reaches x0
"""

from itertools import pairwise
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as nnf

from ..checkpoints.small_files import SmallFile
from ..config import Config
from ..controls.limb_heatmaps import POSE_CHANNELS, pose_heatmaps
from ..types import Pose

_FILE = SmallFile(
    "cyberhost-pose-discriminator-1",
    "pose discriminator",
    "make one with 'cyberhost train pose-discriminator'",
)
_LEAST = 1e-8  # keeps the root's slope finite where a frame is met exactly


class PoseDiscriminatorConfig(Config):
    """One stage per width, each at half the resolution of the one before."""

    latent_channels: int = 16
    widths: tuple[int, ...] = (48, 96, 160)
    blocks: int = 1
    norm_groups: int = 8


class PoseDiscriminator(nn.Module):
    """Predict the heatmaps of a pose from latents, and measure how far they are from the true ones.

    Shapes:   latents (N, C, h, w); heatmaps (N, 59, h, w), see controls.limb_heatmaps
    Source:   EMO2 section 3.4: "The pose discriminator is based on ResNet (He et al., 2015) and is pretrained
              in the latent space"
    Reads:    the paper gives no sizes. The small network goes back up to the latents' resolution with skip
              connections, because a hand is only a few cells wide there
    """

    def __init__(self, config: PoseDiscriminatorConfig) -> None:
        super().__init__()
        self.config, widths = config, config.widths
        self.stem = nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(_blocks(width, config) for width in widths)
        self.downs = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths)
        )
        self.ups = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.up_blocks = nn.ModuleList(_blocks(width, config) for width in widths[:-1])
        self.head = nn.Sequential(
            nn.GroupNorm(config.norm_groups, widths[0]), nn.SiLU(), nn.Conv2d(widths[0], POSE_CHANNELS, 1)
        )

    def forward(self, latents_NCHW: Tensor) -> Tensor:
        x = self.down_blocks[0](self.stem(latents_NCHW))
        skips = []
        for down, block in zip(self.downs, self.down_blocks[1:], strict=True):
            skips.append(x)
            x = block(down(x))
        for skip, up, block in zip(skips[::-1], self.ups[::-1], self.up_blocks[::-1], strict=True):
            x = block(skip + nnf.interpolate(up(x), size=skip.shape[-2:], mode="nearest"))
        return self.head(x)

    def losses(self, x0_NCHW: Tensor, truth_NKHW: Tensor) -> Tensor:
        """L_pd of each frame, for callers that weigh frames by their noise.

        Shapes:   truth_NKHW as truth() gives it; result (N,)
        Source:   EMO2 section 3.4: L_pd = || H - H^ ||_2
        Reads:    divided by the root of the number of entries, so that it does not grow with the resolution
        """
        found = self(x0_NCHW).float()
        return ((found - truth_NKHW) ** 2).mean(dim=(1, 2, 3)).add(_LEAST).sqrt()

    def loss(self, x0_NCHW: Tensor, truth_NKHW: Tensor) -> Tensor:
        """L_pd, the mean over frames: a scalar whose gradient flows to x0. See losses."""
        return self.losses(x0_NCHW, truth_NKHW).mean()


def truth(pose: Pose, *, height: int, width: int) -> Tensor:
    """Draw what the discriminator should find.

    Shapes:   result (F, 59, height, width)
    Units:    height, width in cells of the latents
    """
    return pose_heatmaps(pose, height=height, width=width)


def save_pose_discriminator(path: Path, model: PoseDiscriminator) -> None:
    """Write a discriminator: weights, and its configuration in the metadata."""
    _FILE.write(path, model.state_dict(), config=model.config.to_json())


def load_pose_discriminator(path: Path) -> PoseDiscriminator:
    """Read a discriminator, frozen and in evaluation mode.

    Raises:   CheckpointError: missing, damaged, of another kind
    """
    metadata, tensors = _FILE.read(path)
    model = PoseDiscriminator(PoseDiscriminatorConfig.parse(metadata["config"]))
    return _FILE.filled(model, tensors, path=path)


class _Block(nn.Module):
    """Two convolutions beside a skip (He et al. 2015, with the norms before them)."""

    def __init__(self, width: int, config: PoseDiscriminatorConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.GroupNorm(config.norm_groups, width) for _ in range(2))
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(nnf.silu(self.norm1(x)))
        return x + self.conv2(nnf.silu(self.norm2(h)))


def _blocks(width: int, config: PoseDiscriminatorConfig) -> nn.Sequential:
    return nn.Sequential(*(_Block(width, config) for _ in range(config.blocks)))
