"""The pose twin: a million weights that find puppets' 133 points, in the ONNX signature of DWPose.

    "input" [N, 3, 384, 288] -> 96 x 72 -> 48 x 36 -> 24 x 18 -> 12 x 9 ┐
                                           48 x 36 <- 24 x 18 <---------┘
                                              └-> a map of 48 x 36 cells per point, and one more: "nowhere"
                                                  └-> softmax -> sums over rows, columns -> smeared onto bins
    "simcc_x" [N, 133, 576], "simcc_y" [N, 133, 768]

RTMPose learns the two 1-D distributions with a shared MLP over the whole picture. On few pictures,
convolutions learn sooner to find fingers wherever they are, so here the distributions are made of maps. A
point that is not to be seen puts its probability on "nowhere", which leaves both peaks low: a low score.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...config import Config
from ...perception.pose import BINS_PER_PX, INPUT_HEIGHT, INPUT_WIDTH
from ...perception.wholebody import WHOLEBODY_POINTS
from .fitting import Fit, Report, fit, silent
from .onnx_export import export_onnx, fold_norms
from .pose_pictures import draw_pictures
from .puppet_stills import Stills

CELL_PX = 8  # a cell of the maps, in px of the network's input
ROWS, COLUMNS = INPUT_HEIGHT // CELL_PX, INPUT_WIDTH // CELL_PX
SMEAR_CELLS = 1.2  # standard deviation; from about 1 on, the peak of two smeared cells lies at their average
INPUT_NAME, OUTPUT_NAMES = "input", ["simcc_x", "simcc_y"]


class PoseTwinConfig(Config):
    """Sizes of the pose twin: channels at 1/4, 1/8, 1/16 and 1/32 of the input."""

    channels: tuple[int, int, int, int] = (24, 64, 96, 112)


class PoseTwin(nn.Module):
    """Find 133 points in normalised pictures."""

    def __init__(self, config: PoseTwinConfig) -> None:
        super().__init__()
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


def train_pose_twin(
    stills: Stills,
    *,
    out: Path,
    steps: int,
    seed: int,
    config: PoseTwinConfig | None = None,
    pictures: int = 16,
    checkpoint: Path | None = None,
    report: Report = silent,
) -> PoseTwin:
    """Train a pose twin on stills of puppets and save it as ONNX.

    Source:   signature and decoding of RTMPose (Jiang et al. 2023) and DWPose (Yang et al. 2023)
    Departs:  SimCC distributions are sums over a map with a "nowhere" cell, learnt by one cross-entropy;
              RTMPose learns them separately and leaves unseen points out of the loss
    """
    torch.manual_seed(seed)
    twin = PoseTwin(config or PoseTwinConfig())

    def loss_at(step: int) -> Tensor:
        rng = np.random.default_rng((seed, step))
        batch, points_NKC = draw_pictures(stills, rng=rng, count=pictures)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = twin.logits(batch.to(memory_format=torch.channels_last))
        return finding_loss(logits.float(), points_NKC)

    trained = fit(twin, loss_at, plan=Fit(steps=steps), checkpoint=checkpoint, report=report)
    folded = fold_norms(trained)
    assert isinstance(folded, PoseTwin)
    save_pose_twin(folded, out)
    return folded


def save_pose_twin(twin: PoseTwin, path: Path) -> None:
    """Write the ONNX file."""
    example = torch.zeros(2, 3, INPUT_HEIGHT, INPUT_WIDTH)
    export_onnx(twin, path, example=example, input_name=INPUT_NAME, output_names=OUTPUT_NAMES)


def finding_loss(logits_NKS: Tensor, points_NKC: Tensor) -> Tensor:
    """Cross-entropy with the cells around a point, in shares that average to its place, or with "nowhere".

    Shares that average to the place make the network's own average exact to a fraction of a cell.

    Shapes:   logits_NKS (N, K, 48 * 36 + 1); points_NKC (N, K, 3) x, y, 1 where seen
    Units:    px of the network's input
    """
    cells, shares = target_cells(points_NKC)
    log_shares = logits_NKS.gather(-1, cells) - logits_NKS.logsumexp(dim=-1, keepdim=True)
    return -(log_shares * shares).sum(dim=-1).mean()


def target_cells(points_NKC: Tensor) -> tuple[Tensor, Tensor]:
    """Spread each point over the cells around it.

    Shapes:   indices and shares (N, K, 5): four cells and "nowhere"; the shares of a point sum to 1
    """
    seen = points_NKC[..., 2:]
    at = points_NKC[..., :2] / CELL_PX - 0.5  # centres of cells are whole numbers here
    last = torch.tensor([COLUMNS - 1.0, ROWS - 1.0])
    at = torch.minimum(at.clamp(min=0.0), last)
    low = torch.minimum(at.floor(), last - 1)
    right, down = (at - low).unbind(-1)
    column, row = low.long().unbind(-1)
    first = row * COLUMNS + column
    nowhere = torch.full_like(first, ROWS * COLUMNS)
    cells = torch.stack([first, first + 1, first + COLUMNS, first + COLUMNS + 1, nowhere], dim=-1)
    corners = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down]
    return cells, torch.cat([torch.stack(corners, dim=-1) * seen, 1 - seen], dim=-1)


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
