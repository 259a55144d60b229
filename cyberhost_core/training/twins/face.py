"""The face twin: 0.3 M weights that tell puppets apart, in the ONNX signature of ArcFace.

    "input.1" [N, 3, 112, 112] -> FaceTwin -> "683" [N, 512]

It learns from pairs: pictures of one puppet, in whatever pose, mouth and eyes open or shut, blurred or noisy,
are drawn together; pictures of others are pushed apart (supervised contrastive learning). Neither length nor
direction means anything by itself; the dot product of two outputs of length 1 says how alike two faces are.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nnf
from torch.utils.data import Dataset

from ...config import Config
from ...perception.face_identity import aligned_face, face_seen
from ...perception.puppet_networks import FaceTwin, FaceTwinConfig, fold_norms
from ...perception.signatures import FACE_PX
from ...perception.torch_network import save_network
from ..loop import LoopConfig
from ..part_runs import arrays_fingerprint, train_part
from ..trainer import Learner, Report, TensorBatch
from .loops import FACE_LOOP
from .onnx_export import export_onnx
from .puppet_stills import Stills

TEMPERATURE = 0.1  # of the contrast: cosines of +-1 become logits of +-10
INPUT_NAME, OUTPUT_NAME = "input.1", "683"


class FaceSampling(Config):
    """What a step contrasts: so many puppets, so many pictures of each."""

    people: int = 32
    pictures: int = 4


@dataclass(frozen=True)
class FaceBatch(TensorBatch):
    """Hold faces to be told apart.

    Shapes:   faces (N, 3, 112, 112) in -1..1; identity (N,), every identity at least twice
    """

    faces: Tensor
    identity: Tensor


class FaceBatches(Dataset[FaceBatch]):
    """Map a step number to disturbed faces of some puppets, several of each.

    Shapes:   faces_NCYX (N, 3, 112, 112) uint8, identity_N (N,)
    """

    def __init__(
        self,
        faces_NCYX: np.ndarray,
        identity_N: np.ndarray,
        *,
        sampling: FaceSampling,
        seed: int,
        rank: int = 0,
    ) -> None:
        self.faces_NCYX, self.identity_N, self.sampling = faces_NCYX, identity_N, sampling
        self.seed, self.rank = seed, rank
        rows_of = [np.flatnonzero(identity_N == person) for person in np.unique(identity_N)]
        self.rows_of = [rows for rows in rows_of if len(rows) >= sampling.pictures]

    def __getitem__(self, step: int) -> FaceBatch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        people = min(self.sampling.people, len(self.rows_of))
        chosen = rng.choice(len(self.rows_of), size=people, replace=False)
        rows = np.concatenate(
            [rng.choice(self.rows_of[who], size=self.sampling.pictures, replace=False) for who in chosen]
        )
        faces = torch.from_numpy(self.faces_NCYX[rows]).float() / 127.5 - 1.0
        faces = disturbed(strange_surroundings(faces, rng=rng), rng=rng)
        return FaceBatch(faces, torch.from_numpy(self.identity_N[rows]))


class FaceLearner(Learner[FaceTwin]):
    """Compute the contrast of a batch."""

    def __init__(self, model: FaceTwin) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: FaceBatch) -> dict[str, Tensor]:
        vectors = self.model(batch.faces.to(memory_format=torch.channels_last))
        with torch.autocast(vectors.device.type, enabled=False):  # 16 bits would blur which cosine is largest
            return {"contrast": contrast(vectors.float(), batch.identity)}


def train_face_twin(
    stills: Stills,
    out: Path,
    *,
    loop: LoopConfig = FACE_LOOP,
    sampling: FaceSampling | None = None,
    config: FaceTwinConfig | None = None,
    seed: int = 0,
    until: int | None = None,
    show: Report | None = None,
) -> Path | None:
    """Train, or go on with, a face twin on stills of puppets; write ONNX, and a file for torch alone.

    Returns OUT, or None where `until` came before the loop's end.

    Source:   Khosla et al. 2020, "Supervised Contrastive Learning", eq. 2; signature of ArcFace
    """
    sampling, config = sampling or FaceSampling(), config or FaceTwinConfig()
    torch.manual_seed(seed)
    faces_NCYX, identity_N = aligned_faces(stills)

    def write(average: FaceTwin) -> None:
        folded = fold_norms(average)
        assert isinstance(folded, FaceTwin)
        save_face_twin(folded, out)

    return train_part(
        FaceLearner(FaceTwin(config)),
        lambda rank: FaceBatches(faces_NCYX, identity_N, sampling=sampling, seed=seed, rank=rank),
        loop,
        settings={
            "sampling": sampling.model_dump(),
            "twin": config.model_dump(),
            "seed": seed,
            "stills": arrays_fingerprint([faces_NCYX, identity_N]),
        },
        out=out,
        write=write,
        until=until,
        show=show,
    )


def save_face_twin(twin: FaceTwin, path: Path) -> None:
    """Write the ONNX file, and a safetensors file of the same name for where onnxruntime is not installed."""
    example = torch.zeros(2, 3, FACE_PX, FACE_PX)
    export_onnx(twin, path, example=example, input_name=INPUT_NAME, output_names=[OUTPUT_NAME])
    save_network(twin, path.with_suffix(".safetensors"))


def contrast(vectors_ND: Tensor, identity_N: Tensor) -> Tensor:
    """Ask of each picture to find its own puppet's other pictures among all others.

    Shapes:   vectors_ND (N, D) of any length; identity_N (N,), every identity at least twice
    Source:   Khosla et al. 2020, eq. 2 (L_out)
    """
    directions = nnf.normalize(vectors_ND, dim=-1)
    logits = directions @ directions.T / TEMPERATURE
    itself = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    log_share = logits - logits.masked_fill(itself, -torch.inf).logsumexp(dim=1, keepdim=True)
    same = (identity_N[:, None] == identity_N[None]) & ~itself
    return -((log_share * same).sum(1) / same.sum(1)).mean()


def aligned_faces(stills: Stills) -> tuple[np.ndarray, np.ndarray]:
    """Align every seen face as the identity network's own pipeline does.

    Shapes:   faces (M, 3, 112, 112) uint8, identities (M,)
    """
    face_NKC = stills.poses().face_FKC
    seen = np.flatnonzero(face_seen(face_NKC))
    faces = np.empty((len(seen), 3, FACE_PX, FACE_PX), np.uint8)
    for row, at in enumerate(seen):
        faces[row] = np.round(aligned_face(stills.frames_NYXC[at], face_NKC[at])[0] * 127.5 + 127.5)
    return faces, stills.identity_N[seen]


def strange_surroundings(faces_NCYX: Tensor, *, rng: np.random.Generator) -> Tensor:
    """Put most faces before what surrounds another face of the batch: the room is no part of who someone is.

    The corners of an aligned face show the background; it would be the easiest thing to know a puppet by.
    """
    count = len(faces_NCYX)
    y, x = torch.meshgrid(torch.linspace(-1, 1, FACE_PX), torch.linspace(-1, 1, FACE_PX), indexing="ij")
    edge = torch.from_numpy(rng.uniform(0.85, 1.15, (count, 1, 1, 1)).astype(np.float32))
    outside = ((torch.hypot(x, y * 0.9) - edge) * 12).clamp(0, 1)
    moved = torch.from_numpy(rng.random((count, 1, 1, 1)) < 0.75)
    others = faces_NCYX[torch.from_numpy(rng.permutation(count))]
    return torch.lerp(faces_NCYX, others, outside * moved)


def disturbed(faces_NCYX: Tensor, *, rng: np.random.Generator) -> Tensor:
    """Shift, blur, relight and add noise, each face its own way, as generators and detectors do."""
    count = len(faces_NCYX)

    def roll(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, *shape)).astype(np.float32))

    turn, size = roll(-0.08, 0.08), roll(0.92, 1.08)
    rows = [
        [size * turn.cos(), -size * turn.sin(), roll(-0.06, 0.06)],
        [size * turn.sin(), size * turn.cos(), roll(-0.06, 0.06)],
    ]
    matrix_N23 = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    grid = nnf.affine_grid(matrix_N23, list(faces_NCYX.shape), align_corners=False)
    faces = nnf.grid_sample(faces_NCYX, grid, padding_mode="border", align_corners=False)
    blurred = nnf.interpolate(nnf.avg_pool2d(faces, 4), scale_factor=4.0, mode="bilinear")
    faces = torch.lerp(faces, blurred, roll(0.0, 1.0, 1, 1, 1))
    faces = faces * roll(0.9, 1.1, 1, 1, 1) + roll(-0.08, 0.08, 3, 1, 1)
    noise = torch.from_numpy(rng.standard_normal(faces.shape, dtype=np.float32))
    return (faces + noise * roll(0.0, 0.1, 1, 1, 1)).clamp(-1.0, 1.0)
