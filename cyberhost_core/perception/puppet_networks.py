"""Two small networks for puppets, with the inputs and outputs of DWPose and ArcFace.

    PoseTwin  [N, 3, 384, 288] -> 96 x 72 -> 48 x 36 -> 24 x 18 -> 12 x 9 ┐
                                             48 x 36 <- 24 x 18 <---------┘
                                             └-> a map of 48 x 36 cells per point, and one more: "nowhere"
                                                 └-> softmax -> sums over rows, columns -> smeared onto bins
              simcc_x [N, 133, 576], simcc_y [N, 133, 768]
    FaceTwin  [N, 3, 112, 112] -> four strided convolutions -> one weight per place -> [N, 512]

RTMPose learns the two 1-D distributions with a shared MLP over the whole picture. On few pictures,
convolutions learn sooner to find fingers wherever they are, so here the distributions are made of maps. A
point that is not to be seen puts its probability on "nowhere", which leaves both peaks low: a low score.
"""

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..config import Config
from .signatures import BINS_PER_PX, FACE_PX, INPUT_HEIGHT, INPUT_WIDTH
from .wholebody import WHOLEBODY_POINTS

CELL_PX = 8  # a cell of the maps, in px of the network's input
ROWS, COLUMNS = INPUT_HEIGHT // CELL_PX, INPUT_WIDTH // CELL_PX
SMEAR_CELLS = 1.2  # standard deviation; from about 1 on, the peak of two smeared cells lies at their average


class PoseTwinConfig(Config):
    """Sizes of the pose twin: channels at 1/4, 1/8, 1/16 and 1/32 of the input."""

    channels: tuple[int, int, int, int] = (24, 64, 96, 112)


class PoseTwin(nn.Module):
    """Find 133 points in normalised pictures."""

    def __init__(self, config: PoseTwinConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle, coarse, least = config.channels
        self.stem = nn.Sequential(_layer(3, fine, kernel=7, stride=4), _Residual(fine))
        self.middle = nn.Sequential(_layer(fine, middle, stride=2), _Residual(middle), _Residual(middle))
        self.coarse = nn.Sequential(_layer(middle, coarse, stride=2), _Residual(coarse), _Residual(coarse))
        self.least = nn.Sequential(_layer(coarse, least, stride=2), _Residual(least))
        self.to_coarse, self.to_middle = _layer(least, coarse, kernel=1), _layer(coarse, middle, kernel=1)
        self.join_coarse, self.join_middle = _layer(coarse, coarse), _Residual(middle)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.maps = nn.Conv2d(middle, WHOLEBODY_POINTS, 1)
        self.nowhere = nn.Linear(least, WHOLEBODY_POINTS)
        self.register_buffer("smear_x", _smear(COLUMNS), persistent=False)
        self.register_buffer("smear_y", _smear(ROWS), persistent=False)

    def logits(self, pictures_NCYX: Tensor) -> Tensor:
        """Rate every cell for every point, "nowhere" last: (N, 133, 48 * 36 + 1)."""
        middle = self.middle(self.stem(pictures_NCYX))
        coarse = self.coarse(middle)
        least = self.least(coarse)
        coarse = self.join_coarse(coarse + self.up(self.to_coarse(least)))
        middle = self.join_middle(middle + self.up(self.to_middle(coarse)))
        nowhere = self.nowhere(least.mean(dim=(2, 3)))
        return torch.cat([self.maps(middle).flatten(2), nowhere[..., None]], dim=-1)

    def forward(self, pictures_NCYX: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 384, 288) -> simcc_x (N, 133, 576), simcc_y (N, 133, 768)."""
        shares_NKYX = self.logits(pictures_NCYX).softmax(dim=-1)[..., :-1].unflatten(-1, (ROWS, COLUMNS))
        x_NKB = shares_NKYX.sum(dim=-2) @ self.get_buffer("smear_x")
        y_NKB = shares_NKYX.sum(dim=-1) @ self.get_buffer("smear_y")
        return x_NKB, y_NKB


class FaceTwinConfig(Config):
    """Sizes of the face twin."""

    channels: tuple[int, ...] = (24, 48, 80, 112)
    vector: int = 512


class FaceTwin(nn.Module):
    """Describe aligned faces. The input is -1..1 RGB, as ArcFace's."""

    def __init__(self, config: FaceTwinConfig) -> None:
        super().__init__()
        self.config = config
        sizes = (3, *config.channels)
        stages = [_stage(before, after) for before, after in pairwise(sizes)]
        last, places = config.channels[-1], FACE_PX // 2 ** len(config.channels)
        self.stages = nn.Sequential(*stages)
        # One weight per place, not an average over places: where a feature sits on the template matters.
        self.gather = nn.Conv2d(last, last, places, groups=last)
        self.describe = nn.Linear(last, config.vector)

    def forward(self, faces_NCYX: Tensor) -> Tensor:
        """(N, 3, 112, 112) -> (N, 512), of any length."""
        return self.describe(nnf.relu(self.gather(self.stages(faces_NCYX)).flatten(1)))


def fold_norms(network: nn.Module) -> nn.Module:
    """Copy a trained network; convolutions that a batch norm follows in a Sequential absorb it."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            _fold_sequence(module)
    return network


def _fold_sequence(layers: nn.Sequential) -> None:
    for at in range(len(layers) - 1):
        first, second = layers[at], layers[at + 1]
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            layers[at], layers[at + 1] = fuse_conv_bn_eval(first, second), nn.Identity()


def _smear(cells: int) -> Tensor:
    """Bell curves around the cells' centres, sampled at the bins, with peaks of 1: (cells, bins)."""
    centres_px = (torch.arange(cells) + 0.5) * CELL_PX
    bins_px = torch.arange(cells * CELL_PX * BINS_PER_PX) / BINS_PER_PX
    return torch.exp(-0.5 * ((bins_px - centres_px[:, None]) / (SMEAR_CELLS * CELL_PX)) ** 2)


def _layer(before: int, after: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_layer(channels, channels), _layer(channels, channels))

    def forward(self, x_NCYX: Tensor) -> Tensor:
        return x_NCYX + self.layers(x_NCYX)


def _stage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1, groups=after // 8, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )
