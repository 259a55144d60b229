"""What a conditioner may ask of the user, and how it is said when it is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import ConfigError


@dataclass(frozen=True)
class Ask:
    """One thing that a user provides; words: as it reads in a sentence."""

    name: str
    words: str


SOUND = Ask("sound", "speech features")
MAP = Ask("map", "a map")
CLARITY = Ask("clarity", "hand clarity scores")
CONFIDENCE = Ask("confidence", "hand confidence")
REGION_WEIGHTS = Ask("region_weights", "weights of the regions that listen")
POSE = Ask("pose", "the pose of the reference person")
HANDS = Ask("hands", "crops of the reference person's hands")
FACE = Ask("face", "the face of the reference person")
EMBEDDING = Ask("embedding", "CLIP's embedding of the reference picture")


def require_all(
    asked: Iterable[Ask], given: Mapping[Ask, bool], *, system: str, how: Mapping[Ask, str]
) -> list[Ask]:
    """Compare what was given with what is asked for; returns what has no effect on this system.

    given: whether each thing that could be given here was; how: how the user gives it, as the end of a
    sentence ("connect ...")
    Raises:   ConfigError: something that the system asks for is missing
    """
    wanted = set(asked)
    missing = [ask for ask, is_given in given.items() if ask in wanted and not is_given]
    if missing:
        raise ConfigError(f"'{system}' needs {missing[0].words}, which is missing: {how[missing[0]]}.")
    return [ask for ask, is_given in given.items() if is_given and ask not in wanted]
