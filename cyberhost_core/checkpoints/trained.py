"""What the averaged weights of a training run say of themselves, in the metadata of their file.

stage         which of a recipe's two
system        the specification, with the values of inference calibrated on the store
calibration   those values alone, so that it can be told what the store did not show
"""

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..data.calibration import Calibration
from ..errors import CheckpointError
from ..systems.spec import SystemSpec


@dataclass(frozen=True)
class Trained:
    """Hold what a run's weights are."""

    stage: str
    spec: SystemSpec
    calibration: Calibration


def about_trained(stage: str, spec: SystemSpec, calibration: Calibration) -> dict[str, str]:
    """Write the metadata of weights that a stage trained as `spec` on data so calibrated."""
    system = spec.calibrated(calibration)
    return {"stage": stage, "system": system.to_json(), "calibration": calibration.to_json()}


def read_trained(weights: Path) -> Trained | None:
    """Read what about_trained wrote; None for weights that say nothing, as those of earlier versions.

    Raises:   CheckpointError: the file cannot be read
    """
    try:
        with safe_open(weights, framework="pt") as file:
            told = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{weights} cannot be read as safetensors ({error}); give a file made by 'cyberhost train'."
        ) from error
    if "calibration" not in told:
        return None
    return Trained(told["stage"], SystemSpec.parse(told["system"]), Calibration.parse(told["calibration"]))


def how_calibrated(weights: Path) -> tuple[str, ...]:
    """Say which values of inference do not come from the data that the weights were trained on.

    Raises:   CheckpointError: the file cannot be read
    """
    trained = read_trained(weights)
    if trained is None:
        return (
            f"{weights} does not tell what its training data show, so hand clarity, movement box and the "
            "picture floor stay as the recipe has them; give its training command again to calibrate them.",
        )
    return trained.calibration.untold
