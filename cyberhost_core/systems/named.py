"""Every system of this package, and every part that can be left out of one, by name."""

from collections.abc import Callable

from . import cyberhost, emo2, paha
from .spec import SystemSpec

SYSTEMS: dict[str, Callable[[], SystemSpec]] = cyberhost.SYSTEMS | emo2.SYSTEMS | paha.SYSTEMS
ABLATIONS: dict[str, Callable[[SystemSpec], SystemSpec]] = (
    cyberhost.ABLATIONS | emo2.ABLATIONS | paha.ABLATIONS
)
