"""Which drivers each kind of map takes, and which of them it cannot do without."""

from ..conditioners.drawn_maps import Drawing
from ..errors import ConfigError
from .options import Driving

_NAMES = {
    "movement": "A movement box (--movement)",
    "track": "A hand track (--hands)",
    "conventions": "What a hand track leaves open (--hands-fps, --hands-mean, --hands-handedness)",
    "video": "A driving video (--video)",
    "when_short": "What to do with a short track (--when-short)",
    "gestures": "A gesture model (--gestures)",
    "amplitude": "An amplitude of gestures (--amplitude)",
    "style": "A style of gestures (--style)",
    "one_hand": "One hand alone (--one-hand)",
}
_TAKES: dict[Drawing | None, set[str]] = {
    "movement": {"movement", "track", "conventions", "video", "when_short"},
    "hand_maps": {
        "track",
        "conventions",
        "video",
        "when_short",
        "gestures",
        "amplitude",
        "style",
        "one_hand",
    },
    "hands": {"track", "conventions", "video", "when_short"},
    "face_box": set(),
    "skeleton": {"video"},
    None: set(),
}
_WORDS: dict[Drawing | None, str] = {
    "movement": "a voice, and a movement box, a hand track or a video",
    "hand_maps": "a voice, and hands made from it, a hand track or a video",
    "hands": "a voice, and a hand track or a video",
    "face_box": "a voice, and the box of the portrait's face",
    "skeleton": "a video alone",
    None: "a voice alone",
}
_REPLACED = {  # what has no effect beside another driver; a hand track stands on the movement box
    "video": ("track", "movement", "gestures", "amplitude", "style", "one_hand"),
    "track": ("gestures", "amplitude", "style", "one_hand"),
}


def require_drivers(system: str, drawing: Drawing | None, driving: Driving) -> None:
    """Compare what was chosen to drive with what drives such maps; None: the system has no maps.

    Raises:   ConfigError: a driver that has no effect, or what the maps need is missing
    """
    given = [name for name in _NAMES if getattr(driving, name) is not None]
    for name in given:
        if name not in _TAKES[drawing]:
            raise ConfigError(
                f"{_NAMES[name]} was given, but '{system}' is driven by {_WORDS[drawing]}; leave it out, or "
                "take weights that use it."
            )
    for driver, replaced in _REPLACED.items():
        for name in replaced:
            if driver in given and name in given:
                raise ConfigError(
                    f"{_NAMES[name]} was given beside {_lower(driver)}, which takes its place; leave one of "
                    "them out."
                )
    if "conventions" in given and "track" not in given:
        raise ConfigError(
            f"{_NAMES['conventions']} was told, but no hand track drives; give one with --hands, or leave it "
            "out."
        )
    has_track = "track" in given or "video" in given
    if "when_short" in given and not has_track:
        raise ConfigError(
            f"{_NAMES['when_short']} was chosen, but neither a hand track nor a video drives; give "
            "--hands or --video, or leave it out."
        )
    if drawing == "hands" and not has_track:
        raise ConfigError(
            f"'{system}' is driven by hands, and none were given; give a hand track with --hands, or a clip "
            "of a person with --video."
        )
    if drawing == "skeleton" and "video" not in given:
        raise ConfigError(
            f"'{system}' is driven by a video, and none was given; give a clip of a person with --video."
        )


def _lower(name: str) -> str:
    return _NAMES[name][0].lower() + _NAMES[name][1:]
