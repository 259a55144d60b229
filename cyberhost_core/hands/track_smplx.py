"""Tracks from whole bodies in SMPL-X's turns, as BEAT2 holds them and generators of gestures write them.

    poses (F, 165) --+-- 0..21 --our own body--> wrists: turn and place --+--> hand parameters
                     +-- 25..39 left fingers, 40..54 right ones + mean ---+
    trans (F, 3) ------> how the person moves
    mocap_frame_rate --> rate

The fingers come in MANO's order, which is ours. Read the same whoever wrote it; what else the file holds
(betas, expressions, model, gender) is left where it is.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import MediaError
from ..types import FACE_POINTS, Pose
from .body_offset import body_offset
from .conventions import Conventions
from .limbs import limbs_of
from .npz_file import MOST_FRAMES, Arrays, read_numbers
from .parameters import STANDARD_SIZE_FRAC, HandParameters, joined
from .poses import hand_points
from .quaternions import from_axis_angles, from_matrices
from .skeleton import SIDES
from .track_content import TrackContent
from .upright_body import CHEST, HAND_LENGTH, HEIGHT_M, JOINTS, WRISTS, PosedBody, body_points, posed_body

KEY, _RATE = "poses", "mocap_frame_rate"
_ALL_JOINTS = 55
_FINGERS = (slice(25, 40), slice(40, 55))  # left, right
WIDTH, HEIGHT = 768, 1024
# A half-body picture, in which a hand is as long as usual; a little room above the head.
_PICTURE = HAND_LENGTH / STANDARD_SIZE_FRAC  # its height, of the body's
_TOP = 1.02
_ANSWERS = ("fps", "hand_mean")
_STILL = "write the body's place in metres, zeros where it stands still"
_EXPORT = "export it as BEAT2 has it, or turn it yourself, see docs/hand-tracks.md"


def read_smplx(path: Path, told: Conventions) -> TrackContent:
    """Read a track; the body stands where its first frame stands, seen straight from the front.

    Raises:   MediaError: damaged, another layout, a person that lies or shows the back
              ConfigError: what the file leaves open was not told
    Source:   SMPL-X (Pavlakos et al. 2019): order of joints, axes; BEAT2 (EMAGE, CVPR 2024): the file
    Departs:  bones are ours, whatever betas say: wrists are where a usual body's wrists are
    """
    told.require_use(path, uses=_ANSWERS)
    arrays = read_numbers(path, (KEY, "trans", _RATE))
    rotations_FJ3 = _rotations(arrays)
    trans_F3 = arrays.rows("trans", (3,), count=len(rotations_FJ3), advice=_STILL)
    fps = told.rate(arrays.number(_RATE, advice=_EXPORT), path)
    mean_HJ3 = told.finger_mean(path)
    body = posed_body(rotations_FJ3[:, :JOINTS], (trans_F3 - trans_F3[0]) / HEIGHT_M)
    _require_facing(body, path)
    return _content(_parameters(rotations_FJ3, body, mean_HJ3, fps=fps, source=path.name), body)


def _rotations(arrays: Arrays) -> np.ndarray:
    poses = arrays.rows(KEY, (3 * _ALL_JOINTS,), (_ALL_JOINTS, 3), advice=_EXPORT)
    if not 0 < len(poses) <= MOST_FRAMES:
        raise MediaError(
            f"{arrays.path} has {len(poses)} frames, but 1 to {MOST_FRAMES} were expected; cut it up."
        )
    return poses.reshape(len(poses), _ALL_JOINTS, 3)


def _require_facing(body: PosedBody, path: Path) -> None:
    """Refuse other axes (z up, a camera's), which would give hands that point anywhere."""
    chest_F33 = body.turned_FJ33[:, CHEST]
    up, front = (float(np.median(chest_F33[:, axis, axis])) for axis in (1, 2))
    if up < 0.5 or front < 0.0:
        tilted, away = (float(np.rad2deg(np.arccos(np.clip(share, -1, 1)))) for share in (up, front))
        raise MediaError(
            f"The person of {path} is tilted by {tilted:.0f} degrees and turned {away:.0f} degrees away from "
            "the viewer, but an upright one who faces the viewer was expected (x to the person's left, y up, "
            f"z to the front); {_EXPORT}."
        )


def _parameters(
    rotations_FJ3: np.ndarray, body: PosedBody, mean_HJ3: np.ndarray, *, fps: float, source: str
) -> HandParameters:
    wrists = from_matrices(body.turned_FJ33[:, WRISTS])
    fingers = np.stack([rotations_FJ3[:, part] for part in _FINGERS], axis=1) + mean_HJ3
    turns = np.concatenate([wrists[:, :, None], from_axis_angles(fingers)], axis=2)
    vectors_FD = joined(turns, _fractions(body.placed_FJ3[:, WRISTS]))
    return HandParameters(vectors_FD, np.ones((len(turns), len(SIDES)), dtype=bool), fps=fps, source=source)


def _fractions(places: np.ndarray) -> np.ndarray:
    """Bring places (..., 3) from body heights to fractions of the picture, y down."""
    x, y, z = np.moveaxis(places / _PICTURE, -1, 0)
    return np.stack([0.5 + x * HEIGHT / WIDTH, _TOP / _PICTURE - y, z], axis=-1)


def _content(made: HandParameters, body: PosedBody) -> TrackContent:
    """Add the keypoints, also those outside of the picture: aligning moves the track anyway."""
    points_FHKC = hand_points(made, height=HEIGHT, width=WIDTH)
    points_FHKC[..., 2] = 1.0
    points = {side: points_FHKC[:, hand].astype(np.float32) for hand, side in enumerate(SIDES)}
    points["body"] = body_points(_fractions(body.placed_FJ3)[..., :2] * (WIDTH, HEIGHT))
    face_FKC = np.zeros((len(made), FACE_POINTS, 3), dtype=np.float32)
    pose = Pose(points["body"], face_FKC, points["left"], points["right"], height=HEIGHT, width=WIDTH)
    known = replace(made, offset_FD=body_offset(pose), limbs_FKC=limbs_of(pose))
    return TrackContent(points, known, fps=made.fps, width=WIDTH, height=HEIGHT, source=made.source)
