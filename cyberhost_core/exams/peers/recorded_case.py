"""Run a recorded case of a public model through our converter and loader, and measure the difference.

NAME.json (sizes, scheduler, scales) + NAME.safetensors (the peer's weights, io.* = what went in and came out)
    -> convert_peer -> load_checkpoint -> one guided prediction, one whole sampling -> largest differences
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...backbone.conditions import join
from ...checkpoints.file import load_checkpoint
from ...checkpoints.peers import convert_peer
from ...conditioners.values import Drive, Encoded
from ...diffusion.schedule import ScheduleSpec
from ...errors import CheckpointError
from ...guidance.guidance import FULL, WITHOUT_BOTH
from ...guidance.plain import PlainGuidance
from ...sampling.denoise import SamplingOptions
from ...sampling.video import sample_segment
from ...systems.model import SystemModel
from ...systems.public import PeerConfig

OUTPUT_BOUND, SAMPLED_BOUND = 5e-5, 3e-4
RECORDED = "io."  # prefix of what went in and came out
_KINDS = {"EM2": "echomimic-v2", "HALLO": "hallo", "MOORE": "animate-anyone"}
_REGIONS = ("full", "face", "lip")


@dataclass(frozen=True)
class CaseErrors:
    """Largest absolute differences of one prediction (both guidance rows) and of the sampled latents."""

    output: float
    sampled: float

    @property
    def passes(self) -> bool:
        # a comparison with NaN is false, so a broken run fails
        return self.output <= OUTPUT_BOUND and self.sampled <= SAMPLED_BOUND


def is_case(path: Path) -> bool:
    """Tell whether NAME.json and the file beside it are a recorded case."""
    weights = path.with_suffix(".safetensors")
    return weights.is_file() and json.loads(path.read_text(encoding="utf-8")).get("peer") in _KINDS


@torch.inference_mode()
def run_case(path: Path) -> CaseErrors:
    """Convert, load and run one case, in float32 on the CPU.

    Raises:   CyberHostError: the case cannot be read, or its weights are not those of the peer
    """
    case = json.loads(path.read_text(encoding="utf-8"))
    weights = path.with_suffix(".safetensors")
    told = _recorded(weights)
    with TemporaryDirectory() as folder:
        converted = Path(folder) / "converted.safetensors"
        convert_peer(
            _KINDS[case["peer"]],
            [weights],
            converted,
            config=_config(case),
            dtype=torch.float32,
            drop=(RECORDED,),
        )
        model = load_checkpoint(converted).model
    reference, drive = _inputs(model, case, told)
    x_FCHW = told["latents"][0].transpose(0, 1)
    conditions = join(
        [model.conditions(reference, drive, missing=(seen.without,)) for seen in (WITHOUT_BOTH, FULL)]
    )
    found = model.denoiser(x_FCHW.repeat(2, 1, 1, 1), told["timestep"].float().expand(2), conditions)
    scale = case["guidance_scale"]
    sampled = sample_segment(
        model,
        reference,
        drive,
        x_FCHW,
        SamplingOptions(
            schedule=_schedule(model.spec.schedule, case),
            guidance=PlainGuidance(scale=scale),
        ),
        on_step=lambda _done, _steps: None,
    )
    return CaseErrors(
        _difference(found, told["output"].transpose(1, 2).flatten(0, 1)),
        _difference(sampled, told["ddim_final"][0].transpose(0, 1)),
    )


def _recorded(weights: Path) -> dict[str, Tensor]:
    try:
        with safe_open(weights, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(RECORDED)]  # noqa: SIM118 - no mapping
            return {name.removeprefix(RECORDED): file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{weights} cannot be read as safetensors ({error}); record or copy the case again."
        ) from error


def _config(case: Mapping[str, Any]) -> PeerConfig:
    """What the recording says of the peer's sizes, beyond the shapes of its weights."""
    return PeerConfig(
        heads=case["attention_heads_spatial"],
        motion_heads=case["attention_heads_motion"],
        norm_groups=case["norm_num_groups"],
        motion_norm_groups=case["norm_num_groups_motion"],
        positions=case["motion_pe_max_len"],
        motion_frames=case["n_motion_frames"],
        audio_window=case.get("audio_proj", {}).get("seq_len", 5),
        alternating=case.get("reference_token_tiling", "interleave") == "interleave",
        audio_scale=case.get("audio_scale", 3.0),
    )


def _schedule(published: ScheduleSpec, case: Mapping[str, Any]) -> ScheduleSpec:
    told = case["scheduler"]
    return published.derive(
        prediction=told["prediction_type"],
        beta_schedule=told["beta_schedule"],
        beta_start=told["beta_start"],
        beta_end=told["beta_end"],
        zero_snr=told["rescale_betas_zero_snr"],
        spacing=told["timestep_spacing"],
        steps_offset=told["steps_offset"],
        steps=case["ddim_steps"],
    )


def _inputs(model: SystemModel, case: Mapping[str, Any], told: Mapping[str, Tensor]) -> tuple[Encoded, Drive]:
    frames = case["frames"]
    reference_latents = told["ref_latents"]  # the reference picture first, then motion frames
    vector_BD = told["face_emb"] if "face_emb" in told else told.get("image_tokens", torch.empty(1, 0))
    reference = model.read(
        {"latents": reference_latents[:1], "image_vector": vector_BD.flatten(1), **_masks(told)}
    )
    maps_BFCYX = told["pose_image_small"].transpose(1, 2)
    drive = Drive(
        frames=frames,
        values={
            "audio": _audio(told, frames),
            "maps": maps_BFCYX.repeat_interleave(8, dim=-1).repeat_interleave(8, dim=-2),
            "region_weights": torch.tensor([[case.get("motion_scale", (1.0, 1.0, 1.0))]]),
        },
        motion=model.follow(reference_latents[None, 1:], reference),
    )
    return reference, drive


def _audio(told: Mapping[str, Tensor], frames: int) -> Tensor:
    """Windows (1, F, W, D), from tokens or from windows of several layers."""
    if "audio" in told:
        return told["audio"]
    return told["audio_windows"].flatten(3) if "audio_windows" in told else torch.zeros(1, frames, 0, 0)


def _masks(told: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Masks by stage, (1, F, regions, S): a recording has others for every frame."""
    masks: dict[str, Tensor] = {}
    while f"mask_full_{len(masks)}" in told:
        level = [told[f"mask_{region}_{len(masks)}"] for region in _REGIONS]
        masks[f"masks:{len(masks)}"] = torch.stack(level, dim=1)[None]
    return masks


def _difference(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max())
