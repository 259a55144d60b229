"""Make the hand track that comes with the package: a held-out puppet gesturing, with its exact keypoints.

python -m cyberhost_core.puppets.hand_tracks          needs soundfile and OpenCV
"""

from ..bundled import FOLDER
from ..conditions.hand_track import HandTrack, save_hand_track
from .bundle import PORTRAIT_IDENTITIES
from .identity import random_identity
from .performance import Performance
from .speech import bundled_utterances
from .world import FPS, render_performance

FRAMES = 75  # 3 s
_UTTERANCE = 3
_LIVELY = Performance(
    seed=3,
    sway_x=2.0,
    sway_y=1.0,
    gesture_speed=0.7,
    gesture_size=1.0,
    exposure_frames=0.0,
    defocus=0.0,
)


def example_track() -> HandTrack:
    """Let a held-out puppet gesture to a held-out voice."""
    utterance = bundled_utterances("held_out")[_UTTERANCE]
    video = render_performance(
        random_identity(PORTRAIT_IDENTITIES[1]), utterance=utterance, performance=_LIVELY, frames=FRAMES
    )
    source = f"a drawn puppet gesturing to the bundled voice held_out_{_UTTERANCE:02d}, exact keypoints"
    return HandTrack(video.pose, fps=float(FPS), source=source)


def main() -> None:
    """Write the bundled track."""
    folder = FOLDER / "hand-tracks"
    folder.mkdir(exist_ok=True)
    save_hand_track(folder / "puppet_gesture.json", example_track(), decimals=1)


if __name__ == "__main__":
    main()
