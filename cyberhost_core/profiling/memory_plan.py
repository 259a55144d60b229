"""What memory a segment takes, from real tensor sizes: the true modules run on tensors that have no storage.

weights                 by part
picture, motion frames  -> ReferenceNet -> features, kept
sound, map, clarity     -> encoders -> conditions of each guidance pass, kept
one step                -> U-Net, all passes in one batch, or one after another
latents                 -> autoencoder, a few frames at a time

Reads:    attention is counted as a fused kernel runs it, without the matrix of all queries and keys; a
          kernel's own workspace, the allocator's reserve and the device's context come on top.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor

from ..checkpoints.autoencoders import Autoencoder
from ..conditioners.values import Drive, Encoded
from ..reports.tables import aligned
from ..sampling.network import GuidedNetwork, Moment
from ..systems.model import SystemModel, on_meta, parameter_table
from ..systems.spec import SystemSpec
from .fake_tensors import fake_tensors, give_fake_weights
from .live_bytes import LiveBytes
from .random_inputs import RandomInputs, Size

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
_MIB = 2**20
_ASSUMPTIONS = (
    "Attention is counted as fused kernels run it: without the matrix of all queries and keys.",
    "Not counted: workspace of kernels, the allocator's reserve, the device's context.",
)

_START = Moment(torch.tensor(0), 0, 1.0)
Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class MemoryRow:
    """Hold one amount in each precision.

    Units:    name: stable, for programs; label: for people; parameters: 0 for what is no weight
    """

    name: str
    label: str
    bytes: dict[str, int]
    parameters: int = 0


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """Hold all amounts: weights, and what one segment takes besides them."""

    title: str
    weights: list[MemoryRow]
    segment: list[MemoryRow]

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Write as two aligned tables of plain text."""
        sizes = [f"{dtype} MiB" for dtype in self.weights[0].bytes]
        weights = [("weights", "parameters", *sizes)]
        weights += [(row.label, f"{row.parameters:,}", *_mebibytes(row)) for row in self.weights]
        segment = [("one segment, besides weights", *sizes)]
        segment += [(row.label, *_mebibytes(row)) for row in self.segment]
        tables = (*aligned(weights, left=(0,)), "", *aligned(segment, left=(0,)))
        return "\n".join([self.title, "", *tables, "", *_ASSUMPTIONS])


def plan_memory(
    spec: SystemSpec,
    size: Size,
    autoencoder: Autoencoder,
    *,
    decoded_frames: int = 1,
    speech_parameters: int = 0,
    dtypes: Mapping[str, torch.dtype] = DTYPES,
) -> MemoryPlan:
    """Count a system's weights, and the memory of one segment in the middle of a video.

    Units:    decoded_frames: at once; speech_parameters: of a speech encoder, which runs in float32
    """
    table = parameter_table(on_meta(spec)) | {"autoencoder": _parameters(autoencoder)}
    weights = [_weights(name, count, _each(dtypes, count)) for name, count in table.items()]
    if speech_parameters:
        in_float32 = dict.fromkeys(dtypes, 4 * speech_parameters)
        weights.append(_weights("audio_encoder (float32)", speech_parameters, in_float32))
    total = {dtype: sum(row.bytes[dtype] for row in weights) for dtype in dtypes}
    weights.append(_weights("all", sum(row.parameters for row in weights), total))
    counted = {
        name: _segment(spec, size, dtype=dtype)
        | _decoding(spec, size, autoencoder, frames=decoded_frames, dtype=dtype)
        for name, dtype in dtypes.items()
    }
    labels = _labels(spec, autoencoder, decoded_frames)
    return MemoryPlan(
        title=f"Memory of {spec.name}, {size.height} x {size.width} x {size.frames} frames",
        weights=weights,
        segment=[
            MemoryRow(name=name, label=label, bytes={dtype: found[name] for dtype, found in counted.items()})
            for name, label in labels.items()
        ],
    )


def _labels(spec: SystemSpec, autoencoder: Autoencoder, decoded_frames: int) -> dict[str, str]:
    count = len(spec.guidance.weights())
    together, apart = ("1 pass",) * 2 if count == 1 else (f"{count} passes together", "one after another")
    frames = "1 frame" if decoded_frames == 1 else f"{decoded_frames} frames at once"
    return {
        "reading_peak": "picture and motion frames read: peak",
        "reading_kept": "  kept of it: features",
        "together_encoding_peak": f"{together}, sound and map encoded: peak",
        "together_kept": "  kept for all steps: features, conditions, keys and values",
        "together_step_peak": "  one step: peak, with what is kept",
        "apart_encoding_peak": f"{apart}, sound and map encoded: peak",
        "apart_kept": "  kept for all steps",
        "apart_step_peak": "  one step: peak, with what is kept",
        "decoding_peak": f"{frames} decoded by {autoencoder.label}: peak",
    }


def _segment(spec: SystemSpec, size: Size, *, dtype: torch.dtype) -> dict[str, int]:
    """Run the parts of one segment in the order in which they run, and count."""
    model = on_meta(spec).eval()
    with fake_tensors():
        give_fake_weights(model, dtype)
        inputs = RandomInputs(spec=spec, size=size, device=torch.device("cpu"), dtype=dtype)
        with LiveBytes([*model.parameters(), *model.buffers()]) as counter:
            reference = inputs.reference(model)
            drive = inputs.drive(inputs.motion(model, reference))
            found = {"reading_peak": counter.peak, "reading_kept": counter.now}
            x_FCHW = inputs.latents(size.frames)
            for name, encode in (("together", _together), ("apart", _apart)):
                counted = _steps(counter, partial(encode, model, reference, drive), x_FCHW)
                found |= {f"{name}_{key}": value for key, value in counted.items()}
    return found


def _steps(counter: LiveBytes, encode: Callable[[], Step], x_FCHW: Tensor) -> dict[str, int]:
    """Encode the conditions and take two steps: the first computes what all others read."""
    counter.restart_peak()
    step = encode()
    found = {"encoding_peak": counter.peak}
    counter.restart_peak()
    step(x_FCHW)
    step(x_FCHW)
    return found | {"kept": counter.now, "step_peak": counter.peak}


def _together(model: SystemModel, reference: Encoded, drive: Drive) -> Step:
    """All passes in one batch, as the package samples."""
    network = GuidedNetwork(model, reference, drive, model.spec.guidance)
    network.conditions(tuple(model.spec.guidance.weights()))
    return lambda x_FCHW: network(x_FCHW, _START)


def _apart(model: SystemModel, reference: Encoded, drive: Drive) -> Step:
    """One pass after another, as a host samples when memory is short."""
    guidance = model.spec.guidance
    passes = {
        seen: model.conditions(reference, drive, missing=(seen.without,)) for seen in guidance.weights()
    }
    timestep_B = torch.zeros(1)

    def step(x_FCHW: Tensor) -> Tensor:
        found = {seen: model.denoiser(x_FCHW, timestep_B, told) for seen, told in passes.items()}
        return guidance.combine(found, _START.noise)

    return step


def _decoding(
    spec: SystemSpec, size: Size, autoencoder: Autoencoder, *, frames: int, dtype: torch.dtype
) -> dict[str, int]:
    with torch.device("meta"):
        network = autoencoder.build().eval()
    with fake_tensors():
        give_fake_weights(network, dtype)
        inputs = RandomInputs(spec=spec, size=size, device=torch.device("cpu"), dtype=dtype)
        with LiveBytes([*network.parameters(), *network.buffers()]) as counter:
            autoencoder.decode(network, inputs.latents(frames))
    return {"decoding_peak": counter.peak}


def _parameters(autoencoder: Autoencoder) -> int:
    with torch.device("meta"):
        return sum(value.numel() for value in autoencoder.build().parameters())


def _weights(name: str, parameters: int, sizes: dict[str, int]) -> MemoryRow:
    return MemoryRow(name=name, label=name, bytes=sizes, parameters=parameters)


def _each(dtypes: Mapping[str, torch.dtype], parameters: int) -> dict[str, int]:
    return {name: parameters * dtype.itemsize for name, dtype in dtypes.items()}


def _mebibytes(row: MemoryRow) -> list[str]:
    return [f"{count / _MIB:,.1f}" for count in row.bytes.values()]
