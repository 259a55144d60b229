"""Files of hands as other programs write them, from known turns; built with scipy, not with our code."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from cyberhost_core.hands.conventions import Conventions
from cyberhost_core.types import Pose

LEFT_CHAIN, RIGHT_CHAIN = (0, 3, 6, 9, 13, 16, 18), (0, 3, 6, 9, 14, 17, 19)  # pelvis to elbow, of SMPL-X
WRISTS = (20, 21)
FLAT = Conventions(hand_mean="included")
OWN = Conventions(fps=25, hand_mean="included", handedness="own")
CAMERA = np.diag((1.0, -1.0, -1.0))
MIRROR = np.diag((-1.0, 1.0, 1.0))
# A speaker's arms, joints 16 to 19 (left, right twice): upper arms hang, forearms point forward.
_SPEAKING = np.deg2rad([(0, 0, -75), (0, 0, 75), (0, -80, 0), (0, 80, 0)])


@dataclass(frozen=True, eq=False)
class KnownHands:
    """Turns of both hands, left first, over F frames: the wrist's in the picture's axes, the fingers' own.

    Shapes:   wrists_FH3 (F, 2, 3), fingers_FH15x3 (F, 2, 15, 3), rotation vectors below half a turn
    """

    wrists_FH3: np.ndarray
    fingers_FHJ3: np.ndarray

    @property
    def turns_FHJ33(self) -> np.ndarray:
        """All 16 turns as matrices."""
        vectors = np.concatenate([self.wrists_FH3[:, :, None], self.fingers_FHJ3], axis=2)
        return matrices(vectors)


def known_hands(frames: int = 6, *, seed: int = 0) -> KnownHands:
    """Gesturing hands: wrists turned by up to 100 degrees, fingers by up to 70."""
    rng = np.random.default_rng(seed)
    wrists = rng.uniform(-1, 1, (frames, 2, 3))
    fingers = rng.uniform(-0.7, 0.7, (frames, 2, 15, 3))
    return KnownHands(wrists, fingers)


def matrices(vectors: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape[:-1], 3, 3)


def vectors(turns: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_rotvec().reshape(*turns.shape[:-2], 3)


def apart_deg(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The angles between turns given as matrices."""
    return np.rad2deg(np.linalg.norm(vectors(one.swapaxes(-1, -2) @ two), axis=-1))


def smplx_arrays(hands: KnownHands, *, seed: int = 1) -> dict[str, Any]:
    """A speaker who sways at random, and holds these hands: what BEAT2's files hold."""
    frames, rng = len(hands.wrists_FH3), np.random.default_rng(seed)
    poses = np.zeros((frames, 55, 3))
    poses[:, :20] = rng.uniform(-0.1, 0.1, (frames, 20, 3))
    poses[:, 16:20] += _SPEAKING
    for hand, chain in enumerate((LEFT_CHAIN, RIGHT_CHAIN)):
        arm = Rotation.identity(frames)
        for joint in chain:
            arm = arm * Rotation.from_rotvec(poses[:, joint])
        wrist = Rotation.from_rotvec(hands.wrists_FH3[:, hand])
        poses[:, WRISTS[hand]] = (arm.inv() * wrist).as_rotvec()
    poses[:, 25:40], poses[:, 40:55] = hands.fingers_FHJ3[:, 0], hands.fingers_FHJ3[:, 1]
    return {
        "poses": poses.reshape(frames, 165).astype(np.float32),
        "trans": np.zeros((frames, 3), np.float32),
        "betas": np.zeros(300, np.float32),
        "expressions": np.zeros((frames, 100), np.float32),
        "model": "smplx2020",
        "gender": "neutral",
        "mocap_frame_rate": 30,
    }


def mano_arrays(
    hands: KnownHands, pose: Pose, *, as_matrices: bool, mirrored: bool, fps: float | None = None
) -> dict[str, Any]:
    """One row a hand; mirrored: left hands are told as the right ones that a mirror shows, as HaMeR does."""
    frames = len(pose)
    turns = hands.turns_FHJ33.copy()
    turns[:, :, 0] = CAMERA @ turns[:, :, 0]
    if mirrored:
        turns[:, 0] = MIRROR @ turns[:, 0] @ MIRROR
    turns = turns.reshape(-1, 16, 3, 3)
    points = np.stack([pose.left_hand_FKC, pose.right_hand_FKC], axis=1)[..., :2].reshape(-1, 21, 2)
    arrays = {
        "frame": np.repeat(np.arange(frames), 2),
        "is_right": np.tile([0.0, 1.0], frames),
        "global_orient": turns[:, :1] if as_matrices else vectors(turns[:, :1]),
        "hand_pose": turns[:, 1:] if as_matrices else vectors(turns[:, 1:]),
        "pred_keypoints_2d": points,
        "img_size": np.array([pose.width, pose.height]),
    }
    return arrays if fps is None else arrays | {"fps": fps}


def landmarks(pose: Pose, frame: int, side: str) -> list[dict[str, float]]:
    points = (pose.left_hand_FKC if side == "left" else pose.right_hand_FKC)[frame]
    return [{"x": float(x) / pose.width, "y": float(y) / pose.height, "z": 0.0} for x, y, _ in points]


def mediapipe_content(pose: Pose, **changes: Any) -> dict[str, Any]:
    """What the Hand Landmarker says of each frame, labels the person's own."""
    frames = [
        {
            "hand_landmarks": [landmarks(pose, frame, side) for side in ("left", "right")],
            "handedness": [
                [{"category_name": name, "score": score}] for name, score in (("Left", 0.9), ("Right", 0.8))
            ],
        }
        for frame in range(len(pose))
    ]
    return {"width": pose.width, "height": pose.height, "fps": 30, "frames": frames} | changes


def written(folder: Path, content: dict[str, Any], name: str = "hands.npz") -> Path:
    """Write arrays as npz, or a content as JSON; None leaves a key out."""
    path = folder / name
    kept = {key: value for key, value in content.items() if value is not None}
    if path.suffix == ".npz":
        np.savez(path, **kept)
    else:
        path.write_text(json.dumps(kept), encoding="utf-8")
    return path
