"""Assemble a checkpoint of a published system from its parents, ready to be trained.

    Stable Diffusion 1.5's U-Net   -> denoiser and reference network alike, without the attention to text
    AnimateDiff's motion module    -> the denoiser's motion modules
    everything else                -> as the model itself starts: it adds nothing to the parents yet

Source: CyberHost section 3.1 and 4.1 (both U-Nets from Stable Diffusion, the temporal modules from
AnimateDiff); EMO2 section 3.4, whose backbone is the same. A system that attends to tokens of the whole
picture takes the attention to text for it.
Reads:    AnimateDiff v3 has no motion module in the middle block; that one then starts as the model's own, at
          zero. EMO2's clips have more positions than AnimateDiff was trained with: they are sinusoids
"""

import json
from pathlib import Path

import torch

from ..backbone.ops import TORCH_OPS
from ..backbone.reference_net import ReferenceNet
from ..backbone.unet import UNet
from ..errors import CheckpointError, ConfigError
from ..systems.model import on_meta
from ..systems.named import SYSTEMS
from ..systems.spec import SD_LATENT_SCALE, SystemSpec
from .accounting import Ledger, Report, Shapes
from .companions import add_companions
from .initial import InitialWeights
from .motion_names import motion_fate, positions_in, without_wrapper
from .sources import Source, weights_file
from .streaming import OnBytes
from .unet_names import unet_fates
from .writing import Plan, write_checkpoint

_LICENCE = (
    "not stated by the files; Stable Diffusion 1.5's own weights are CreativeML OpenRAIL-M, AnimateDiff's "
    "Apache-2.0"
)
_V2_POSITIONS = 32  # of AnimateDiff v2 and v3; v1 has 24
_ADVICE = "give the U-Net of Stable Diffusion 1.5 and a motion module of AnimateDiff v2 or v3"


def assembled_system(name: str) -> SystemSpec:
    """Take a system that starts from Stable Diffusion: one that works on its latents.

    Raises:   ConfigError: there is none of this name
    """
    known = {key: spec for key, make in SYSTEMS.items() if (spec := make()).latent_scale == SD_LATENT_SCALE}
    if name not in known:
        raise ConfigError(
            f"There is no system '{name}' that starts from Stable Diffusion 1.5 and AnimateDiff; choose one "
            f"of: {', '.join(known)}."
        )
    return known[name]


def assemble(
    unet: Path,
    motion: Path,
    out: Path,
    *,
    spec: SystemSpec,
    dtype: torch.dtype = torch.float16,
    seed: int = 0,
    vae: Path | None = None,
    audio_encoder: Path | None = None,
    on_bytes: OnBytes = lambda _done, _total: None,
) -> Report:
    """Write the checkpoint; see `plan_assembly`, which this writes out.

    Raises:   CheckpointError, UnaccountedWeightsError: as plan_assembly; or out cannot be written
    """
    plan = plan_assembly(unet, motion, spec=spec, seed=seed, vae=vae, audio_encoder=audio_encoder)
    return write_checkpoint(plan, out, dtype=dtype, on_bytes=on_bytes)


def plan_assembly(
    unet: Path,
    motion: Path,
    *,
    spec: SystemSpec,
    seed: int = 0,
    vae: Path | None = None,
    audio_encoder: Path | None = None,
) -> Plan:
    """Account for every weight of the parents and of the system.

    unet and motion are files, or folders as diffusers keeps them; seed is that of the parts that start at
    random.

    Raises:   CheckpointError: a file is unreadable or of another kind
              UnaccountedWeightsError: a weight is missing, unexpected or of another shape
    """
    ledger = Ledger(f"the assembled '{spec.name}'")
    expected = {name: tuple(value.shape) for name, value in on_meta(spec).state_dict().items()}
    unet_source = Source(weights_file(unet, "unet"))
    motion_source = Source(weights_file(motion, "motion_adapter"))
    _require_motion(motion_source)
    ledger.take(unet_source, unet_fates(unet_source.tensors, expected))
    ledger.take(motion_source, lambda name: motion_fate(without_wrapper(name)))
    companions = add_companions(ledger, vae=vae, audio_encoder=audio_encoder)
    own = _own(spec, expected, motion_source)
    ledger.settle(expected | companions.shapes, initialised=own, advice=_ADVICE)
    weights = InitialWeights(spec, seed=seed)
    files = [unet_source.label, motion_source.label]
    return Plan(
        ledger=ledger,
        spec=spec,
        licence=_LICENCE,
        metadata=companions.metadata | {"sources": json.dumps({"files": files})},
        initial={name: weights.one(name, expected[name]) for name in own},
    )


def _own(spec: SystemSpec, expected: Shapes, motion: Source) -> list[str]:
    """Which weights no parent brings: all but Stable Diffusion's, and the motion modules.

    Without a single motion module in the file's middle block (AnimateDiff v3), that one is ours as well.
    """
    with torch.device("meta"):
        reference = ReferenceNet(spec.unet, ops=TORCH_OPS)
        stable_diffusion = UNet(reference.config, ops=TORCH_OPS)
    from_parents = {f"denoiser.{name}" for name in stable_diffusion.state_dict()}
    from_parents |= {f"reference_net.{name}" for name in reference.state_dict()}
    middle = any(name.startswith("mid_block.") for name in map(without_wrapper, motion.tensors))
    return [
        name
        for name in expected
        if name not in from_parents
        and (".motion_modules." not in name or (name.startswith("denoiser.mid_block.") and not middle))
    ]


def _require_motion(source: Source) -> None:
    if not any(".motion_modules." in name for name in source.tensors):
        raise CheckpointError(f"{source.path} holds no motion modules; {_ADVICE}.")
    known = positions_in([source])
    if known is not None and known < _V2_POSITIONS:
        raise CheckpointError(
            f"The motion modules in {source.path} know {known} positions (AnimateDiff v1), {_V2_POSITIONS} "
            "were expected; give those of AnimateDiff v2 or v3."
        )
