"""How well are hand parameters found back from keypoints, and how long do hand maps take?

python -m tests.core.measure_hands          from the repository's root; the tables of docs/hand-tracks.md
"""

import time

import numpy as np
from scipy.spatial.transform import Rotation

from cyberhost_core import bundled
from cyberhost_core.hands.drawing.hand_maps import draw_hand_maps
from cyberhost_core.hands.fit import fitted_parameters
from cyberhost_core.hands.parameters import HandParameters
from cyberhost_core.hands.poses import hand_points
from cyberhost_core.perception.pose import PoseDetector
from cyberhost_core.puppets.gesture import HAND_LENGTH_FRAC
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.split import HELD_OUT_IDENTITIES
from cyberhost_core.puppets.world import FPS, PuppetVideo, render_video
from cyberhost_core.types import Pose

CLIPS, FRAMES = 8, 60


def main() -> None:
    """Print both tables."""
    clips = [held_out(number) for number in range(CLIPS)]
    detector = PoseDetector(bundled.POSE_DETECTOR)
    rows = {
        "exact keypoints": [(clip, clip.pose) for clip in clips],
        "with noise of 0.5 px": [(clip, noisy(clip.pose, 0.5)) for clip in clips],
        "with noise of 1 px": [(clip, noisy(clip.pose, 1.0)) for clip in clips],
        "from the bundled detector": [
            (clip, detector.detect(clip.frames_FYXC, padding=1.0)) for clip in clips
        ],
    }
    lines = [
        "| keypoints | their own error, px | fitted, px | in depth, px | wrist, degrees | ms a frame |",
        "|---|---|---|---|---|---|",
    ]
    for name, pairs in rows.items():
        mean = np.mean([fit_errors(clip, pose) for clip, pose in pairs], axis=0)
        lines.append(f"| {name} | " + " | ".join(f"{number:.2f}" for number in mean) + " |")
    lines += ["", "| picture | ms a frame |", "|---|---|"]
    shown = true_parameters(clips[0])[:24]
    draw_hand_maps(shown, height=128, width=96)  # the first call also loads what it needs
    for height, width in ((128, 96), (640, 384), (704, 512)):
        start = time.perf_counter()
        draw_hand_maps(shown, height=height, width=width)
        lines.append(f"| {width} x {height} | {(time.perf_counter() - start) / 24 * 1000:.1f} |")
    print("\n".join(lines))  # noqa: T201


def held_out(number: int) -> PuppetVideo:
    """Render a puppet, a voice and a performance that nothing was trained on."""
    voices = bundled_utterances("held_out")
    return render_video(
        list(HELD_OUT_IDENTITIES)[number],
        utterance=voices[number % len(voices)],
        performance_seed=1000 + number,
        frames=FRAMES,
    )


def true_parameters(clip: PuppetVideo) -> HandParameters:
    """Give a puppet's own parameters."""
    size_frac = HAND_LENGTH_FRAC * clip.identity.hand_size
    return clip.hands.parameters(size_frac=size_frac, fps=FPS, source="a puppet")


def noisy(pose: Pose, noise_px: float) -> Pose:
    """Move every point at random."""
    rng = np.random.default_rng(0)
    packed = pose.packed_FKC().copy()
    packed[..., :2] += rng.normal(0, noise_px, packed[..., :2].shape)
    return Pose.from_packed(packed, height=pose.height, width=pose.width)


def fit_errors(clip: PuppetVideo, pose: Pose) -> tuple[float, float, float, float, float]:
    """Mean error of the keypoints given, of those fitted, of their depth; median wrist turn; ms."""
    true = true_parameters(clip)
    start = time.perf_counter()
    found = fitted_parameters(pose, fps=FPS, source="a video")
    spent = (time.perf_counter() - start) / len(pose) * 1000
    ours, theirs = (hand_points(hands, height=128, width=96)[found.valid_FH] for hands in (found, true))
    given = np.stack([pose.left_hand_FKC, pose.right_hand_FKC], axis=1)[found.valid_FH]
    depth = (ours - ours[:, :1])[..., 2] - (theirs - theirs[:, :1])[..., 2]
    wrists = [Rotation.from_matrix(hands.matrices()[:, :, 0][found.valid_FH]) for hands in (found, true)]
    return (
        float(np.linalg.norm(given[..., :2] - theirs[..., :2], axis=-1).mean()),
        float(np.linalg.norm((ours - theirs)[..., :2], axis=-1).mean()),
        float(np.abs(depth).mean()),
        float(np.rad2deg(np.median((wrists[0] * wrists[1].inv()).magnitude()))),
        spent,
    )


if __name__ == "__main__":
    main()
