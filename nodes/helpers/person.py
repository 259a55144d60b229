"""The input that chooses among several people, the same on every node that reads a pose."""

from ..bridge.api import RARELY_TOUCHED, io

LARGEST = -1


def person_input() -> io.Int.Input:
    """Build the input; it is the last one of its node."""
    return io.Int.Input(
        "person",
        default=LARGEST,
        min=LARGEST,
        max=99,
        optional=True,
        **RARELY_TOUCHED,
        tooltip="Which person of each frame, counted from 0 in the detector's order; -1 takes the largest.",
    )
