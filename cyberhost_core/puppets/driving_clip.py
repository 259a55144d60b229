"""Make the driving clip that comes with the package: a held-out puppet who gestures and speaks.

python -m cyberhost_core.puppets.driving_clip          needs soundfile and OpenCV

The same performance as the bundled hand track, to the end of the sentence.
"""

from ..bundled import FOLDER
from ..media.audio import read_sound
from ..media.video import VideoWriter
from .bundle import BUNDLED_SPEECH
from .hand_tracks import example_performance
from .world import FPS, HEIGHT, WIDTH


def main() -> None:
    """Write the bundled clip."""
    video, utterance = example_performance()
    folder = FOLDER / "clips"
    folder.mkdir(exist_ok=True)
    sound = read_sound(BUNDLED_SPEECH / f"{utterance.name}.ogg")
    with VideoWriter(
        folder / "puppet_gesture.mp4", fps=FPS, height=HEIGHT, width=WIDTH, sound=sound
    ) as writer:
        writer.write(video.frames_FYXC)


if __name__ == "__main__":
    main()
