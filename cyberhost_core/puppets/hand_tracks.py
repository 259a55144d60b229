"""Make the hand track that comes with the package: a held-out puppet gesturing, with its exact keypoints.

python -m cyberhost_core.puppets.hand_tracks          needs soundfile and OpenCV
"""

from ..bundled import FOLDER
from ..hands.track import HandTrack, save_hand_track
from .bundle import PORTRAIT_IDENTITIES
from .identity import random_identity
from .performance import Performance
from .speech import Utterance, bundled_utterances
from .world import FPS, PuppetVideo, render_performance

_LIVELY = Performance(
    seed=3,
    sway_x=2.0,
    sway_y=1.0,
    gesture_speed=0.7,
    gesture_size=1.0,
    exposure_frames=0.0,
    defocus=0.0,
)


def example_performance() -> tuple[PuppetVideo, Utterance]:
    """Let a held-out puppet speak a held-out sentence to its end, and gesture."""
    utterance = bundled_utterances("held_out")[3]
    identity = random_identity(PORTRAIT_IDENTITIES[1])
    return render_performance(identity, utterance=utterance, performance=_LIVELY), utterance


def main() -> None:
    """Write the bundled track."""
    video, utterance = example_performance()
    source = f"a drawn puppet gesturing to the bundled voice {utterance.name}, exact keypoints"
    folder = FOLDER / "hand-tracks"
    folder.mkdir(exist_ok=True)
    track = HandTrack(video.pose, fps=float(FPS), source=source)
    save_hand_track(folder / "puppet_gesture.json", track, decimals=1)


if __name__ == "__main__":
    main()
