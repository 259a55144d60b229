"""What a system asks for follows from what it lists; what lacks is named, what is in vain is told."""

import pytest

from cyberhost_core.conditioners.asks import CLARITY, EMBEDDING, MAP, POSE, SOUND, require_all
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.conditioners.image_tokens import ImageTokens
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.errors import ConfigError
from cyberhost_core.systems.cyberhost import (
    paper,
    talking_head,
    without_face_ram,
    without_hand_ram,
    without_pose_aligned_reference,
)
from cyberhost_core.systems.spec import SystemSpec


def animate_anyone_like() -> SystemSpec:
    known = without_pose_aligned_reference(without_face_ram(without_hand_ram(paper())))
    silent = known.without(Sound, HandClarity)
    return silent.derive(name="pose-driven", conditioners=(ImageTokens(source="clip"), *silent.conditioners))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (paper(), {"sound", "map", "clarity", "pose", "hands", "face"}),
        (talking_head(), {"sound", "map", "clarity", "pose", "face"}),
        (animate_anyone_like(), {"map", "embedding"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_system_asks_for_what_its_conditioners_read(spec: SystemSpec, expected: set[str]) -> None:
    assert {ask.name for ask in (*spec.asks_of_portrait, *spec.asks_of_track)} == expected


def test_the_portrait_and_the_frames_are_asked_for_apart() -> None:
    assert {ask.name for ask in paper().asks_of_portrait} == {"pose", "hands", "face"}
    assert {ask.name for ask in paper().asks_of_track} == {"sound", "map", "clarity"}


def test_what_lacks_is_named_with_the_way_to_give_it() -> None:
    spec = paper()
    with pytest.raises(ConfigError, match="'cyberhost' needs speech features, which is missing: plug it in"):
        require_all(
            spec.asks_of_track, {SOUND: False, MAP: True}, system=spec.name, how={SOUND: "plug it in"}
        )


def test_what_cannot_be_given_here_is_not_missed() -> None:
    spec = paper()
    assert require_all(spec.asks_of_portrait, {POSE: True}, system=spec.name, how={}) == []
    assert require_all(spec.asks_of_track, {SOUND: True, MAP: True}, system=spec.name, how={}) == []


def test_what_is_given_in_vain_is_told() -> None:
    spec = animate_anyone_like()
    asked = [*spec.asks_of_portrait, *spec.asks_of_track]
    given = {SOUND: True, MAP: True, EMBEDDING: True, CLARITY: False}
    assert require_all(asked, given, system=spec.name, how={}) == [SOUND]
