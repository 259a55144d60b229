"""The rows of the bench: which measures are shown, in which order, with which targets.

numbers by name (model), numbers by name (true renders) --> rows
"""

from dataclasses import dataclass

from ...reports.tables import Row, Target, make_row
from .measures import SKIN_THIRDS, Numbers


@dataclass(frozen=True)
class Line:
    """Describe a row: its label with the unit, its target, and what a reader must know."""

    label: str
    target: Target | None = None
    comment: str = ""


def bench_rows(numbers: Numbers, *, ceilings: Numbers) -> list[Row]:
    """Judge a model's numbers, and put what true renders reach beside them.

    Shapes:   numbers, ceilings: by the names of LINES, and movement_range_px_1, _2, ... for every box
    """
    ranges = {
        name: Line(f"thorax range, box {name.removeprefix(_RANGE)} (px)")
        for name in numbers
        if name.startswith(_RANGE)
    }
    lines: dict[str, Line] = {}
    for name, line in LINES.items():
        lines |= ranges if name == _AFTER_RANGES else {}
        lines[name] = line
    return [
        make_row(
            name,
            line.label,
            numbers.get(name),
            target=line.target,
            ceiling=ceilings.get(name),
            comment=line.comment,
        )
        for name, line in lines.items()
    ]


_RANGE, _AFTER_RANGES = "movement_range_px_", "movement_obedience"


def _at_least(bound: float) -> Target:
    return Target("at least", bound)


def _at_most(bound: float) -> Target:
    return Target("at most", bound)


LINES = {
    "lip_sync": Line("lip sync", _at_least(0.75), "correlation with the true opening, mean over clips"),
    **{f"lip_sync_{third}": Line(f"lip sync, {third} skin", _at_least(0.60)) for third in SKIN_THIRDS},
    "lip_sync_shuffled": Line("lip sync, other voices", _at_most(0.15), "should be near 0"),
    "lip_lag_frames": Line("lip lag (frames)", comment="lag of the best correlation; above 0: lips are late"),
    "mouth_seen": Line("frames with a mouth (share)"),
    "hands_found": Line("hands found (share)", _at_least(0.90), "of frames, both hands"),
    "hands_plausible": Line(
        "plausible fingers (share)", _at_least(0.70), "at most 3/128 of the picture off a real hand"
    ),
    "hkc": Line("HKC", comment="mean confidence of hand keypoints"),
    "hkv_px": Line("HKV (px)", comment="deviation of hand keypoints within a clip"),
    "thorax_inside": Line(
        "thorax inside box (share)", _at_least(0.90), "all boxes; 1/128 of the height to spare"
    ),
    "movement_obedience": Line("range rises with box", _at_least(1.0), "Spearman of the mean range per box"),
    "movement_obedience_per_clip": Line("  in single clips", comment="mean Spearman"),
    "clarity_obedience": Line(
        "sharpness rises with clarity", _at_least(0.80), "Spearman of the mean per level"
    ),
    "clarity_obedience_per_clip": Line("  in single clips", comment="mean Spearman"),
    "sharpness_lowest": Line("hand sharpness, lowest asked", comment="grey levels"),
    "sharpness_highest": Line("hand sharpness, highest asked", comment="grey levels"),
    "identity_nearest": Line(
        "own reference is nearest (share)", _at_least(0.90), "of clips; by CSIM + colours"
    ),
    "csim": Line("CSIM", comment="face cosine to the own reference"),
    "csim_others": Line("CSIM, other references"),
    "colours": Line("colours in common (share)", comment="with the own reference"),
    "colours_others": Line("colours, other references"),
    "ssim": Line("SSIM", comment="against the reference picture, which does not move"),
    "psnr_db": Line("PSNR (dB)", comment="against the reference picture"),
    "seam_ratio": Line("seams", _at_most(1.5), "change across segment joins / inside segments"),
    "seconds_per_frame": Line(
        "seconds per frame", comment="speech, sampling and decoding; without loading and reference"
    ),
    "peak_memory_mb": Line("peak memory (MB)", comment="of this process, detector and bench included"),
}
