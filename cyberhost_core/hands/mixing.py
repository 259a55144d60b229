"""Go from one run of hand parameters to another, frame by frame: turns the shorter way, places in a line."""

import numpy as np

from . import quaternions
from .parameters import OFFSET_NUMBERS, HandParameters, joined, resting_vectors
from .skeleton import SIDES


def mixed(first: HandParameters, second: HandParameters, share_F: np.ndarray) -> HandParameters:
    """Mix two runs of the same number of frames; fps and source are the first's.

    Where a hand is not valid in both, it is taken from the nearer one as it is there. Offsets and limbs
    likewise; limbs that only one of them knows are lost.

    Shapes:   share_F (F,)
    Units:    share 0 gives first, 1 gives second
    """
    share_F1 = np.asarray(share_F, dtype=np.float64)[:, None]
    both_FH = first.valid_FH & second.valid_FH
    later_F1 = share_F1 >= 0.5
    turns = quaternions.slerp(first.quaternions(), second.quaternions(), share_F1[..., None, None])
    nearer = np.where(later_F1[..., None, None], second.quaternions(), first.quaternions())
    places = _line(first.translations(), second.translations(), share_F1[..., None])
    nearer_places = np.where(later_F1[..., None], second.translations(), first.translations())
    sizes = _line(first.sizes_frac_FH, second.sizes_frac_FH, share_F1)
    nearer_sizes = np.where(later_F1, second.sizes_frac_FH, first.sizes_frac_FH)
    return HandParameters(
        joined(
            np.where(both_FH[..., None, None], turns, nearer),
            np.where(both_FH[..., None], places, nearer_places),
        ),
        np.where(later_F1, second.valid_FH, first.valid_FH),
        fps=first.fps,
        source=first.source,
        sizes_frac_FH=np.where(both_FH, sizes, nearer_sizes),
        offset_FD=_mixed_offsets(first, second, share_F1),
        limbs_FKC=_mixed_limbs(first.limbs_FKC, second.limbs_FKC, share_F1[..., None]),
    )


def absent(frames: int, *, fps: float, source: str) -> HandParameters:
    """Give parameters in which no hand is valid: for a track that has none, beside one that has."""
    return HandParameters(
        resting_vectors(frames), np.zeros((frames, len(SIDES)), dtype=bool), fps=fps, source=source
    )


def _mixed_offsets(first: HandParameters, second: HandParameters, share_F1: np.ndarray) -> np.ndarray:
    shape = (len(first), len(SIDES), OFFSET_NUMBERS // len(SIDES))
    one, two = (
        np.broadcast_to(run.offset_FD, (len(first), OFFSET_NUMBERS)).reshape(shape) for run in (first, second)
    )
    both = (one[..., :1] > 0) & (two[..., :1] > 0)
    share = share_F1[..., None]
    nearer = np.where(share >= 0.5, two, one)
    return np.where(both, _line(one, two, share), nearer).reshape(len(first), OFFSET_NUMBERS)


def _mixed_limbs(
    one_FKC: np.ndarray | None, two_FKC: np.ndarray | None, share_F11: np.ndarray
) -> np.ndarray | None:
    if one_FKC is None or two_FKC is None:
        return None
    both = (one_FKC[..., 2:] > 0) & (two_FKC[..., 2:] > 0)
    return np.where(both, _line(one_FKC, two_FKC, share_F11), np.where(share_F11 >= 0.5, two_FKC, one_FKC))


def _line(first: np.ndarray, second: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    return (1.0 - share) * first + share * second
