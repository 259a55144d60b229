"""Recipes of classifiers: YAML files, as those of the stages; the U-Net's sizes come from the checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ...backbone.part_classifier import PartClassifierConfig
from ...config import Config, Count
from ...errors import ConfigError
from ...systems.spec import SystemSpec
from ..loop import LoopConfig
from ..recipes.entries import read_change, read_entries, recipe_file, with_changes
from ..recipes.faults import Fault, checked
from ..recipes.reading import origin
from .batches import ClassifierSampling

SHIPPED = Path(__file__).with_name("shipped")


class ClassifierSizes(Config):
    """Sizes of the transformer, see PartClassifierConfig."""

    width: Count = 512
    heads: Count = 8
    blocks: Count = 4
    encoder: Literal["own", "denoiser"] = "own"
    rope: Literal["frames", "volume"] = "frames"

    def of(self, spec: SystemSpec, *, sound: int) -> PartClassifierConfig:
        """Complete them for a system; sound: numbers of sound per frame."""
        return PartClassifierConfig(unet=spec.unet, sound=sound, **dict(self))


class ClassifierRecipe(Config):
    """A complete run: the classifiers' sizes, the loop's settings, its pairs."""

    classifier: ClassifierSizes
    loop: LoopConfig
    sampling: ClassifierSampling


def read_classifier_recipe(source: str, changes: Sequence[str] = ()) -> ClassifierRecipe:
    """Read a recipe: a name of one that comes with the package, or the path of a file.

    changes: FIELD=VALUE, as for --set
    Raises:   ConfigError: there is none, or something in it cannot be used; the sentence says what
    """
    path, asked = recipe_file(source, shipped=SHIPPED), [read_change(change) for change in changes]
    try:
        entries = read_entries(path, completed=lambda own: own, shipped=SHIPPED)
        return checked(ClassifierRecipe, with_changes(entries, asked))
    except Fault as fault:
        raise ConfigError(f"{origin(fault, path, asked)} cannot be used: {fault}.") from fault
