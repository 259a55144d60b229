"""Specifications and names of weights that version 0.1 wrote are those of today's systems.

The fixtures are what 0.1 said of every named system, of what can be left out of the tiny ones, and of the
public relatives: their specifications as JSON, and the names and shapes of their weights.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open

from cyberhost_core import bundled
from cyberhost_core.checkpoints.classifiers import classifiers_of, load_classifiers
from cyberhost_core.checkpoints.file import open_checkpoint
from cyberhost_core.checkpoints.specs import read_spec
from cyberhost_core.errors import CheckpointError, ConfigError
from cyberhost_core.systems import cyberhost, emo2, paha
from cyberhost_core.systems.cyberhost import placeless_latents
from cyberhost_core.systems.model import on_meta
from cyberhost_core.systems.public import PEERS
from cyberhost_core.systems.published import published
from cyberhost_core.systems.spec import SystemSpec

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = {path.stem: path for path in sorted((FIXTURES / "specs-of-0.1").glob("*.json"))}
NAMES = json.loads((FIXTURES / "state-dicts-of-0.1.json").read_text())
# Fields without which 0.1's specification does not say what the system is made of.
NEEDED = ("unet", "long_video", "pose_encoder", "movement_encoder", "audio", "clarity", "reference_scale")


LATER = ("-orthonormal-latents", "-placeless-latents")  # ways to build banks that 0.1 did not know


def todays() -> dict[str, Callable[[], SystemSpec]]:
    """Every system that 0.1 knew, by the name of its record."""
    systems = cyberhost.SYSTEMS | emo2.SYSTEMS
    for tiny, ablations in ((cyberhost.tiny, cyberhost.ABLATIONS), (emo2.tiny, emo2.ABLATIONS)):
        systems |= {
            f"{tiny().name}-{name}": lambda change=change, tiny=tiny: change(tiny())
            for name, change in ablations.items()
        }
    systems |= {name: lambda name=name: published(name) for name in PEERS}
    return {name: system for name, system in systems.items() if not name.endswith(LATER)}


def test_every_system_that_0_1_knew_was_recorded() -> None:
    assert todays().keys() == RECORDED.keys() == NAMES.keys()


@pytest.mark.parametrize("name", RECORDED)
def test_a_specification_of_0_1_is_todays_system(name: str) -> None:
    told = RECORDED[name].read_text()
    assert "conditioners" not in json.loads(told)
    assert read_spec(told) == placeless_latents(todays()[name]())


@pytest.mark.parametrize("name", RECORDED)
def test_a_specification_of_today_is_read_as_it_is(name: str) -> None:
    spec = todays()[name]()
    assert read_spec(spec.to_json()) == spec


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_of_weights_are_those_of_0_1(name: str) -> None:
    state = on_meta(todays()[name]()).state_dict()
    assert dict(Counter(key.split(".")[0] for key in state)) == NAMES[name]["parts"]
    lines = sorted(f"{key} {tuple(value.shape)}" for key, value in state.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == NAMES[name]["digest"]


@pytest.mark.parametrize(
    ("path", "system"),
    [
        (bundled.CHECKPOINT, cyberhost.tiny),
        (bundled.HANDS_CHECKPOINT, emo2.tiny),
        (bundled.UNIFIED_CHECKPOINT, paha.tiny),
    ],
)
def test_a_bundled_file_holds_the_tiny_system(path: Path, system: Callable[[], SystemSpec]) -> None:
    """But for what inference asks for, which was calibrated on the training data."""
    with safe_open(path, framework="pt") as file:
        found, expected = read_spec(file.metadata()["system"]), system()
    assert found.derive(conditioners=expected.conditioners) == expected
    for one, other in zip(found.conditioners, expected.conditioners, strict=True):
        told, usual = (part.model_dump(exclude={"box", "low", "high"}) for part in (one, other))
        assert told == usual


def test_bundled_classifiers_lie_beside_the_checkpoint_whose_clips_they_judge() -> None:
    own = {
        bundled.CHECKPOINT: bundled.CLASSIFIERS,
        bundled.HANDS_CHECKPOINT: bundled.HANDS_CLASSIFIERS,
        bundled.UNIFIED_CHECKPOINT: bundled.UNIFIED_CLASSIFIERS,
    }
    for checkpoint, classifiers in own.items():
        assert classifiers_of(checkpoint) == classifiers
        load_classifiers(classifiers, open_checkpoint(checkpoint).spec)
    with pytest.raises(CheckpointError, match="judge clips of 'paha-tiny', and the checkpoint is of"):
        load_classifiers(bundled.UNIFIED_CLASSIFIERS, open_checkpoint(bundled.CHECKPOINT).spec)


def test_all_bundled_files_are_together_smaller_than_64_mb() -> None:
    assert sum(path.stat().st_size for path in bundled.FOLDER.rglob("*") if path.is_file()) < 64e6


@pytest.mark.parametrize("field", NEEDED)
def test_a_missing_field_of_a_specification_of_0_1_ends_in_one_sentence(field: str) -> None:
    told = json.loads(RECORDED["cyberhost-tiny"].read_text())
    del told[field]
    with pytest.raises(ConfigError, match=rf"SystemSpec is not usable: '{field}' is missing; use a file"):
        read_spec(json.dumps(told))


def test_a_field_of_the_wrong_kind_is_named() -> None:
    told = json.loads(RECORDED["cyberhost-tiny"].read_text())
    told["audio"]["window"] = "five"
    with pytest.raises(ConfigError, match=r"SystemSpec is not usable: conditioners\..*window.*; use a file"):
        read_spec(json.dumps(told))


@pytest.mark.parametrize("told", ["{", "[1, 2]", "null", '"tiny"'])
def test_a_text_that_is_no_specification_is_refused(told: str) -> None:
    with pytest.raises(ConfigError, match="SystemSpec is not usable: the whole text"):
        read_spec(told)
