"""What the browser needs to play a hand track after a run."""

from typing import Any

import numpy as np

from ...cyberhost_core.hands.track import HandTrack, hand_points
from ...cyberhost_core.types import SEEN


def player(track: HandTrack) -> dict[str, list[dict[str, Any]]]:
    """Give a node's ui data: per frame x, y of 21 left and 21 right points, null where not seen.

    Units:    px of the canvas, rounded to 0.1
    """
    shown = {
        "fps": track.fps,
        "canvas": [track.pose.width, track.pose.height],
        "frames": [_flat(points_KC) for points_KC in hand_points(track.pose)],
    }
    return {"cyberhost_hand_track": [shown]}


def _flat(points_KC: np.ndarray) -> list[float | None]:
    return [
        round(float(value), 1) if score >= SEEN else None for x, y, score in points_KC for value in (x, y)
    ]
