"""Measures: what the bench reads off its clips, one number per name.

    Footage (clips of one stage) --> lips, hands, movement, clarity, identity, pixels, seams -> {name: number}

The same function runs on the model's footage and on true renders. None: this footage cannot answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics.clarity import hand_sharpness
from ...metrics.controls import obedience
from ...metrics.hands import hand_score
from ...metrics.identity import Looks, likeness, looks, own_is_nearest
from ...metrics.lip_sync import LipSync, lip_sync, mouth_opening, shuffled_lip_sync
from ...metrics.movement import movement
from ...metrics.pixels import psnr, ssim
from ...metrics.plausible_hands import plausible_share
from ...metrics.seams import seam_ratio
from ...perception.protocols import DescribesFace
from .takes import Actor, Clip

Numbers = dict[str, float | None]

SKIN_THIRDS = ("dark", "middle", "light")
_LOOK_EVERY = 3  # neighbouring frames look alike; a face vector costs as much as a pose


@dataclass(frozen=True, eq=False)
class Footage:
    """Hold what one stage shot.

    Units:    base: one clip per actor; movement: per actor one clip per box, small to large; clarity: per
              actor one clip per level, low to high
    """

    base: list[Clip]
    movement: list[list[Clip]]
    clarity: list[list[Clip]]


def measure(
    footage: Footage,
    *,
    portraits: Sequence[Looks],
    voices: Mapping[str, np.ndarray],
    kept: int,
    face_identity: DescribesFace,
) -> Numbers:
    """Take every measure of one stage's footage.

    Shapes:   portraits: looks of the reference of each base clip, in order; voices: true opening (F,) of
              every utterance by name, at least two; kept: frames that come from each segment
    """
    clips = footage.base
    return {
        **_lips(clips, voices),
        **_hands(clips),
        **_movement(footage.movement),
        **_clarity(footage.clarity),
        **_identity(clips, portraits, face_identity=face_identity),
        **_pixels(clips),
        "seam_ratio": _mean(
            [seam_ratio(clip.frames_FYXC, kept=kept) for clip in clips if len(clip.pose) > kept]
        ),
    }


def portrait_looks(actor: Actor, *, face_identity: DescribesFace) -> Looks:
    """Describe an actor's reference picture."""
    return looks(actor.portrait.picture_YXC[None], actor.pose, face_identity=face_identity)


def skin_third(luminance: float) -> str:
    """Name the third that a skin's luminance 0..1 falls in."""
    return SKIN_THIRDS[min(int(luminance * 3), 2)]


def _lips(clips: Sequence[Clip], voices: Mapping[str, np.ndarray]) -> Numbers:
    measured = [mouth_opening(clip.pose.face_FKC) for clip in clips]
    names = [clip.actor.utterance.name for clip in clips]
    synced = [
        lip_sync(lips_F, voices[own][: len(lips_F)]) for lips_F, own in zip(measured, names, strict=True)
    ]
    shuffled = [
        shuffled_lip_sync(lips_F, [voices[name] for name in voices if name != own])
        for lips_F, own in zip(measured, names, strict=True)
    ]
    thirds = [skin_third(clip.actor.identity.skin_luminance) for clip in clips]
    return {
        "lip_sync": _mean([sync.correlation for sync in synced]),
        **{f"lip_sync_{third}": _mean(_in_third(synced, thirds, third)) for third in SKIN_THIRDS},
        "lip_sync_shuffled": _mean(shuffled),
        "lip_lag_frames": _mean([sync.best_lag_frames for sync in synced]),
        "mouth_seen": _mean([sync.seen_share for sync in synced]),
    }


def _in_third(synced: Sequence[LipSync], thirds: Sequence[str], third: str) -> list[float]:
    return [sync.correlation for sync, own in zip(synced, thirds, strict=True) if own == third]


def _hands(clips: Sequence[Clip]) -> Numbers:
    scores = [hand_score(clip.pose) for clip in clips]
    return {
        "hands_found": _mean([score.presence for score in scores]),
        "hands_plausible": _mean([plausible_share(clip.pose) for clip in clips]),
        "hkc": _mean([score.hkc for score in scores]),
        "hkv_px": _mean([score.hkv_px for score in scores]),
    }


def _movement(clips_by_box: Sequence[Sequence[Clip]]) -> Numbers:
    found = [[movement(clip.pose, box=clip.box) for clip in row] for row in clips_by_box]
    inside_NL = np.array([[one.inside_share for one in row] for row in found])
    range_NL = np.array([[one.range_px for one in row] for row in found])
    obeyed = obedience(np.arange(range_NL.shape[1]), range_NL)
    by_box = {f"movement_range_px_{box}": float(px) for box, px in enumerate(range_NL.mean(axis=0), start=1)}
    return {
        "thorax_inside": float(inside_NL.mean()),
        "movement_obedience": obeyed.of_means,
        "movement_obedience_per_clip": obeyed.per_clip,
        **by_box,
    }


def _clarity(clips_by_level: Sequence[Sequence[Clip]]) -> Numbers:
    sharpness_NL = np.array(
        [[hand_sharpness(clip.frames_FYXC, clip.pose) for clip in row] for row in clips_by_level]
    )
    obeyed = obedience(np.arange(sharpness_NL.shape[1]), sharpness_NL)
    return {
        "clarity_obedience": obeyed.of_means,
        "clarity_obedience_per_clip": obeyed.per_clip,
        "sharpness_lowest": _mean(sharpness_NL[:, 0]),
        "sharpness_highest": _mean(sharpness_NL[:, -1]),
    }


def _identity(clips: Sequence[Clip], portraits: Sequence[Looks], *, face_identity: DescribesFace) -> Numbers:
    every = slice(None, None, _LOOK_EVERY)
    seen = [looks(clip.frames_FYXC[every], clip.pose[every], face_identity=face_identity) for clip in clips]
    table = [[likeness(clip, portrait) for portrait in portraits] for clip in seen]
    own = [row[number] for number, row in enumerate(table)]
    others = [like for number, row in enumerate(table) for other, like in enumerate(row) if other != number]
    return {
        "identity_nearest": _mean(
            [float(own_is_nearest(row, own=number)) for number, row in enumerate(table)]
        ),
        "csim": _mean([like.face for like in own]),
        "csim_others": _mean([like.face for like in others]),
        "colours": _mean([like.colours for like in own]),
        "colours_others": _mean([like.colours for like in others]),
    }


def _pixels(clips: Sequence[Clip]) -> Numbers:
    return {
        "ssim": _mean(
            [float(ssim(clip.frames_FYXC, clip.actor.portrait.picture_YXC).mean()) for clip in clips]
        ),
        "psnr_db": _mean(
            [float(psnr(clip.frames_FYXC, clip.actor.portrait.picture_YXC).mean()) for clip in clips]
        ),
    }


def _mean(values: Sequence[float | None] | np.ndarray) -> float | None:
    """Average what could be measured."""
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if known else None
