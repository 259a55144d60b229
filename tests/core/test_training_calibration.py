"""A training run hands on the system as its store calibrates it; the network that is built stays the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cyberhost_core.checkpoints.parts import load_weights
from cyberhost_core.checkpoints.trained import read_trained
from cyberhost_core.conditioners.drawn_maps import DrawnMaps
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.data.calibration import calibrate
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.first_stages import basic_modules
from cyberhost_core.training.runs import Recipe, RunFiles, train_stage
from cyberhost_core.training.stage import StageConfig


@pytest.fixture
def recipe(small_spec: SystemSpec) -> Recipe:
    return Recipe(
        system=small_spec,
        image_system=basic_modules(small_spec),
        image=StageConfig(name="image", frames=1, steps=1, precision="no"),
        video=StageConfig(name="video", frames=3, steps=1, precision="no"),
    )


def test_trained_weights_say_what_inference_is_to_ask_for(
    recipe: Recipe, make_store: Callable, build: Callable, tmp_path: Path
) -> None:
    store = make_store(recipe.system)
    files = RunFiles(store=store.folder, out=tmp_path / "run")
    weights = train_stage(recipe, recipe.video, files, show=lambda *_: None)
    trained, calibration = read_trained(weights), calibrate(store)
    assert trained is not None
    assert (trained.stage, trained.calibration) == ("video", calibration)
    (before,), (after,) = recipe.system.listed(HandClarity), trained.spec.listed(HandClarity)
    assert (after.high[0], after.high[2]) == calibration.clarity_high
    assert after.high != before.high and after.unit == before.unit
    assert trained.spec.listed(DrawnMaps)[0].box == calibration.movement_box
    assert trained.spec.unet == recipe.system.unet
    assert load_weights(weights).keys() == build(trained.spec).state_dict().keys(), "still a start for others"
    again = train_stage(recipe, recipe.video, files, show=lambda *_: None)
    assert read_trained(again) == trained, "given again, a finished run says the same"
