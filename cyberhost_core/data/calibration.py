"""What a store says of the values that inference asks for, so that they are of the data and not guessed.

scores of up to 2000 videos -> percentiles -> Calibration -> Conditioner.calibrated -> in the checkpoint

Which percentile, and why: docs/decisions/0008.
"""

from collections.abc import Iterable

import numpy as np

from ..config import Config
from ..controls.hand_clarity import PIVOT_PERCENTILE
from ..controls.movement_map import GROWTH_RANGE, movement_box
from ..controls.regions import hands_seen
from ..types import SEEN, Pose
from .store import PreparedVideos, VideoScores

MOST_VIDEOS = 2000  # spread evenly over the store; percentiles move no more with further ones
HIGH_PERCENTILE = PIVOT_PERCENTILE  # algorithm 1: what is "treated as a clear-hand frame"
LOW_PERCENTILE = 100 - PIVOT_PERCENTILE
FLOOR_PERCENTILE = 1
FLOOR_MARGIN_DB = 3.0  # twice the squared error


class Calibration(Config):
    """Hold what a store shows; None where it shows nothing of the kind.

    clarity_low, clarity_high: absolute and relative, of either hand; movement_box: width and height;
    hand_confidence: of either hand; picture_floor_db: pictures that the autoencoder gives back worse are
    unlike those of the store

    Units:    clarity: grey levels and ratio, see controls.hand_clarity; movement_box: parts of the picture;
              hand_confidence 0..1; dB
    """

    clarity_low: tuple[float, float] | None
    clarity_high: tuple[float, float] | None
    movement_box: tuple[float, float] | None
    hand_confidence: float | None
    picture_floor_db: float

    @property
    def untold(self) -> tuple[str, ...]:
        """Say which values stay the system's own."""
        told = (
            (self.clarity_high, "hand clarity and hand confidence", "hand"),
            (self.movement_box, "the movement box", "thorax"),
        )
        return tuple(
            f"The training data show no {part}, so {words} stay as the recipe has them."
            for value, words, part in told
            if value is None
        )


def calibrate(videos: PreparedVideos) -> Calibration:
    """Measure a store; the same store gives the same values.

    Raises:   StoreError: a video is missing or damaged
    """
    count = min(len(videos), MOST_VIDEOS)
    numbers = np.linspace(0, len(videos) - 1, count).round().astype(int)
    return calibration_of(videos.scores(int(number)) for number in numbers)


def calibration_of(videos: Iterable[VideoScores]) -> Calibration:
    """Calibrate on the scores of some videos, at least one.

    Both hands count alike, in frames that show them: elsewhere a score is filled in, not measured. A movement
    box is one that training draws for the video, at the middle of its growth.

    Source:   CyberHost section 3.3, appendix D ("a high clarity score is input"); EMO2 section 3.4 (higher
              confidence)
    """
    clarity, confidence, boxes, came_back = [], [], [], []
    for video in videos:
        seen_FH = hands_seen(video.pose)
        of_hands_FH2 = video.clarity_F4.reshape(-1, 2, 2).swapaxes(1, 2)  # absolute and relative last
        clarity.append(of_hands_FH2[seen_FH])
        confidence.append(video.hand_confidence_FH[seen_FH])
        boxes.append(_training_box(video.pose))
        came_back.append(video.picture_db)
    clarity_N2, confidence_N = np.concatenate(clarity), np.concatenate(confidence)
    return Calibration(
        clarity_low=_percentiles(clarity_N2, LOW_PERCENTILE),
        clarity_high=_percentiles(clarity_N2, HIGH_PERCENTILE),
        movement_box=_percentiles(np.concatenate(boxes), 50),
        hand_confidence=_percentile(confidence_N, HIGH_PERCENTILE) if len(confidence_N) else None,
        picture_floor_db=_percentile(np.array(came_back), FLOOR_PERCENTILE) - FLOOR_MARGIN_DB,
    )


def _training_box(pose: Pose) -> np.ndarray:
    """Width and height of a video's movement box as parts of the picture: (1, 2), or (0, 2) for no thorax."""
    if not (pose.thorax_FC()[:, 2] >= SEEN).any():
        return np.zeros((0, 2))
    box = movement_box(pose, growth=sum(GROWTH_RANGE) / 2)
    return ((box[2:] - box[:2]) / (pose.width, pose.height))[None]


def _percentiles(pairs_N2: np.ndarray, percent: float) -> tuple[float, float] | None:
    """The same percentile of two columns; None where there is no row."""
    if not len(pairs_N2):
        return None
    return _percentile(pairs_N2[:, 0], percent), _percentile(pairs_N2[:, 1], percent)


def _percentile(values_N: np.ndarray, percent: float) -> float:
    return round(float(np.percentile(values_N, percent)), 4)
