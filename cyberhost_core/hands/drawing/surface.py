"""The skin of a hand: a mesh whose vertices follow the joints by linear blend skinning.

rest vertices (+ pose blends, where a file has them) --weights x joint turns--> vertices of every frame
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..kinematics import joint_frames
from ..skeleton import JOINTS, Side


@dataclass(frozen=True, eq=False)
class HandSurface:
    """Hold one hand's mesh at rest.

    Shapes:   vertices_V3, normals_V3 (V, 3); faces_T3 (T, 3) vertex numbers, counter-clockwise from outside;
              weights_VJ (V, 16), each row of sum 1; offsets_P3 (21, 3): joints and tips from their parents;
              blends_V3P (V, 3, 135): what a vertex moves by per entry of the joints' matrices, or (V, 3, 0)
    Units:    hand lengths, the wrist at 0, axes as in skeleton
    """

    side: Side
    vertices_V3: np.ndarray
    normals_V3: np.ndarray
    faces_T3: np.ndarray
    weights_VJ: np.ndarray
    offsets_P3: np.ndarray
    blends_V3P: np.ndarray


Surfaces = Mapping[Side, HandSurface]


@dataclass(frozen=True, eq=False)
class PosedHand:
    """Hold a surface and its skeleton over F frames.

    Shapes:   vertices_FV3, normals_FV3 (F, V, 3) float32; points_FP3 (F, 21, 3): joints, then tips
    Units:    hand lengths relative to the wrist, x right, y up, z to the viewer; normals of length 1
    """

    vertices_FV3: np.ndarray
    normals_FV3: np.ndarray
    points_FP3: np.ndarray


def posed(surface: HandSurface, matrices_FJ33: np.ndarray) -> PosedHand:
    """Bend a surface.

    Shapes:   matrices_FJ33 (F, 16, 3, 3): the joints' own turns
    Source:   MANO (Romero et al. 2017) eq. 1-4, the wrist at 0; pose blends by the entries of R_j - I of the
              15 finger joints, row by row
    """
    turned_FJ33, points_FP3 = joint_frames(matrices_FJ33, surface.offsets_P3)
    rest_J3 = rest_places(surface.offsets_P3)[:JOINTS]
    moved_FJ3 = points_FP3[:, :JOINTS] - (turned_FJ33 @ rest_J3[..., None])[..., 0]

    frames, weights = len(matrices_FJ33), surface.weights_VJ.astype(np.float32)
    turn_FV33 = weights @ turned_FJ33.reshape(frames, JOINTS, 9).astype(np.float32)
    turn_FV33 = turn_FV33.reshape(*turn_FV33.shape[:2], 3, 3)
    features_FP = (matrices_FJ33[:, 1:] - np.eye(3)).reshape(frames, (JOINTS - 1) * 9)
    features_FP = features_FP[:, : surface.blends_V3P.shape[-1]]
    shaped_FV3 = surface.vertices_V3 + np.einsum("vcp,fp->fvc", surface.blends_V3P, features_FP)
    vertices_FV3 = _turn(turn_FV33, shaped_FV3) + weights @ moved_FJ3.astype(np.float32)
    normals_FV3 = _turn(turn_FV33, surface.normals_V3[None])
    length = np.linalg.norm(normals_FV3, axis=-1, keepdims=True)
    return PosedHand(vertices_FV3, normals_FV3 / np.maximum(length, 1e-6), points_FP3)


def rest_places(offsets_P3: np.ndarray) -> np.ndarray:
    """Sum offsets along the bones: the places (21, 3) of joints and tips at rest."""
    still = np.broadcast_to(np.eye(3), (1, JOINTS, 3, 3))
    return joint_frames(still, offsets_P3)[1][0]


def vertex_normals(vertices_V3: np.ndarray, faces_T3: np.ndarray) -> np.ndarray:
    """Average the normals of the faces around each vertex, larger faces counting more."""
    corners = vertices_V3[faces_T3]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices_V3)
    for corner in range(3):
        np.add.at(normals, faces_T3[:, corner], across)
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)


def _turn(turn_FV33: np.ndarray, vectors_FV3: np.ndarray) -> np.ndarray:
    return (turn_FV33 @ vectors_FV3[..., None].astype(np.float32))[..., 0]
