"""Hand tracks from npz files of other programs: which layout it is, told by the names of its arrays."""

from pathlib import Path

from ..errors import MediaError
from . import track_mano, track_smplx
from .conventions import Conventions
from .npz_file import array_names
from .track_content import TrackContent

_READERS = {track_smplx.KEY: track_smplx.read_smplx, track_mano.KEY: track_mano.read_mano}
_SHOWN = 8  # names, in a complaint


def read_npz(path: Path, told: Conventions) -> TrackContent:
    """Read a track in either layout.

    Raises:   MediaError: neither layout, and what the layout's own reader raises
    """
    names = array_names(path)
    for key, read in _READERS.items():
        if key in names:
            return read(path, told)
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    raise MediaError(
        f"{path} holds {shown or 'no arrays'}, but '{track_smplx.KEY}' (SMPL-X, as BEAT2 has it) or "
        f"'{track_mano.KEY}' (MANO, hand by hand) was expected; write it in one of the layouts that "
        "docs/hand-tracks.md describes."
    )
