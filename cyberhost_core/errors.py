"""Every error a user can cause, one class each.

A message is one sentence in three parts: what came (with the value), what was expected, what to do next.
"""


class CyberHostError(Exception):
    """Base of every error whose message is written for a user."""


class MediaError(CyberHostError):
    """A picture, a sound or a video could not be read or written."""


class AudioError(MediaError):
    """A sound is missing, empty, silent or damaged."""


class ImageError(MediaError):
    """A picture is missing, damaged or of an unusable size."""


class PoseError(CyberHostError):
    """No usable person (or hand) was found where one is needed."""


class CheckpointError(CyberHostError):
    """A weights file is missing, truncated, of another kind, or does not fit the parts it is used with."""


class ConfigError(CyberHostError):
    """A setting is outside its range or contradicts another."""


class FetchError(CyberHostError):
    """A public model cannot be fetched: its licences, its hub, the line, the disk, or what has come."""


class MissingExtraError(CyberHostError):
    """An optional package is needed here; the message names the extra that installs it."""


class Cancelled(CyberHostError):
    """The caller asked to stop; nothing is left half written."""


class Paused(Cancelled):
    """The caller asked to stop; what was done so far is kept, and the same command goes on from there."""


def require_extra(package: str, *, extra: str, purpose: str) -> MissingExtraError:
    """Build the error for an optional package that is absent."""
    return MissingExtraError(
        f"{purpose} needs the package '{package}', which is not installed; "
        f"install it with: pip install 'cyberhost[{extra}]'."
    )
