"""The pose twin: a million weights that find puppets' 133 points, in the ONNX signature of DWPose.

"input" [N, 3, 384, 288] -> PoseTwin -> "simcc_x" [N, 133, 576], "simcc_y" [N, 133, 768]
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...perception.puppet_networks import CELL_PX, COLUMNS, ROWS, PoseTwin, PoseTwinConfig, fold_norms
from ...perception.signatures import INPUT_HEIGHT, INPUT_WIDTH
from ...perception.torch_network import save_network
from ..loop import LoopConfig
from ..part_runs import arrays_fingerprint, train_part
from ..trainer import Learner, Report, TensorBatch
from .loops import POSE_LOOP
from .onnx_export import export_onnx
from .pose_pictures import draw_pictures
from .puppet_stills import Stills

INPUT_NAME, OUTPUT_NAMES = "input", ["simcc_x", "simcc_y"]


@dataclass(frozen=True)
class PoseBatch(TensorBatch):
    """Hold pictures and their points, as draw_pictures gives them."""

    pictures: Tensor
    points: Tensor


class PoseBatches(Dataset[PoseBatch]):
    """Map a step number to some framed and damaged pictures."""

    def __init__(self, stills: Stills, *, pictures: int, seed: int, rank: int = 0) -> None:
        self.stills, self.pictures, self.seed, self.rank = stills, pictures, seed, rank

    def __getitem__(self, step: int) -> PoseBatch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        return PoseBatch(*draw_pictures(self.stills, rng=rng, count=self.pictures))


class PoseLearner(Learner[PoseTwin]):
    """Compute the finding loss of a batch."""

    def __init__(self, model: PoseTwin) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: PoseBatch) -> dict[str, Tensor]:
        logits = self.model.logits(batch.pictures.to(memory_format=torch.channels_last))
        return {"finding": finding_loss(logits.float(), batch.points)}


def train_pose_twin(
    stills: Stills,
    out: Path,
    *,
    loop: LoopConfig = POSE_LOOP,
    pictures: int = 16,
    config: PoseTwinConfig | None = None,
    seed: int = 0,
    until: int | None = None,
    show: Report | None = None,
) -> Path | None:
    """Train, or go on with, a pose twin on stills of puppets; write ONNX, and a file for torch alone.

    Each step sees so many pictures. Returns OUT, or None where `until` came before the loop's end.

    Source:   signature and decoding of RTMPose (Jiang et al. 2023) and DWPose (Yang et al. 2023)
    Departs:  SimCC distributions are sums over a map with a "nowhere" cell, learnt by one cross-entropy;
              RTMPose learns them separately and leaves unseen points out of the loss
    """
    config = config or PoseTwinConfig()
    torch.manual_seed(seed)

    def write(average: PoseTwin) -> None:
        folded = fold_norms(average)
        assert isinstance(folded, PoseTwin)
        save_pose_twin(folded, out)

    return train_part(
        PoseLearner(PoseTwin(config)),
        lambda rank: PoseBatches(stills, pictures=pictures, seed=seed, rank=rank),
        loop,
        settings={
            "pictures": pictures,
            "twin": config.model_dump(),
            "seed": seed,
            "stills": arrays_fingerprint([stills.frames_NYXC, stills.points_NKC]),
        },
        out=out,
        write=write,
        until=until,
        show=show,
    )


def save_pose_twin(twin: PoseTwin, path: Path) -> None:
    """Write the ONNX file, and a safetensors file of the same name for where onnxruntime is not installed."""
    example = torch.zeros(2, 3, INPUT_HEIGHT, INPUT_WIDTH)
    export_onnx(twin, path, example=example, input_name=INPUT_NAME, output_names=OUTPUT_NAMES)
    save_network(twin, path.with_suffix(".safetensors"))


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
    last = torch.tensor([COLUMNS - 1.0, ROWS - 1.0], device=at.device)
    at = torch.minimum(at.clamp(min=0.0), last)
    low = torch.minimum(at.floor(), last - 1)
    right, down = (at - low).unbind(-1)
    column, row = low.long().unbind(-1)
    first = row * COLUMNS + column
    nowhere = torch.full_like(first, ROWS * COLUMNS)
    cells = torch.stack([first, first + 1, first + COLUMNS, first + COLUMNS + 1, nowhere], dim=-1)
    corners = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down]
    return cells, torch.cat([torch.stack(corners, dim=-1) * seen, 1 - seen], dim=-1)
