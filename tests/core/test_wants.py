"""What a system asks for follows from what it is made of; what lacks is named, what is in vain is told."""

import pytest
from cyberhost_core.systems.wants import require_wanted, wants

from cyberhost_core.errors import ConfigError
from cyberhost_core.systems.cyberhost import paper, talking_head, without_face_ram, without_hand_ram
from cyberhost_core.systems.spec import ImageTokensSpec, SystemSpec


def animate_anyone_like() -> SystemSpec:
    return without_face_ram(without_hand_ram(paper())).derive(
        name="pose-driven",
        audio=None,
        clarity=None,
        pose_encoder=None,
        image_tokens=ImageTokensSpec(source="clip"),
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (paper(), {"sound", "map", "clarity", "pose", "hands", "face"}),
        (talking_head(), {"sound", "map", "clarity", "pose", "face"}),
        (animate_anyone_like(), {"map", "embedding"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_system_wants_what_its_layers_read(spec: SystemSpec, expected: set[str]) -> None:
    assert wants(spec) == expected


def test_what_lacks_is_named_with_the_way_to_give_it() -> None:
    with pytest.raises(ConfigError, match="'cyberhost' needs speech features, which is missing: plug it in"):
        require_wanted(paper(), {"sound": False, "map": True}, where={"sound": "plug it in"})


def test_what_is_given_in_vain_is_told() -> None:
    given = {"sound": True, "map": True, "embedding": True}
    assert require_wanted(animate_anyone_like(), given, where={}) == ["speech features"]
