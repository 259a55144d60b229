"""The pose twin: a million weights that find puppets' 133 points, in the ONNX signature of DWPose.

"input" [N, 3, 384, 288] -> PoseTwin -> "simcc_x" [N, 133, 576], "simcc_y" [N, 133, 768]
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...perception.puppet_networks import CELL_PX, COLUMNS, ROWS, PoseTwin, PoseTwinConfig, fold_norms
from ...perception.signatures import INPUT_HEIGHT, INPUT_WIDTH
from ...perception.torch_network import save_network
from .fitting import Fit, Report, fit, silent
from .onnx_export import export_onnx
from .pose_pictures import draw_pictures
from .puppet_stills import Stills

INPUT_NAME, OUTPUT_NAMES = "input", ["simcc_x", "simcc_y"]


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
    """Train a pose twin on stills of puppets and save it as ONNX, and beside it for torch alone.

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
