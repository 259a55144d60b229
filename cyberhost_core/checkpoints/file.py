"""One checkpoint, one safetensors file: every part of a system under its prefix, the rest in the metadata.

    denoiser.*  reference_net.*  movement_encoder.*  pose_encoder.*  hand_encoder.*  ...   the system
    vae.*                                        optional: its autoencoder
    audio_encoder.*                              optional: a HF wav2vec2

Metadata (strings): format, system (SystemSpec), vae and audio_encoder (their configurations), licence,
training, shared (parts that lie in a file beside it), all JSON but the licence. Only safetensors is read: a
pickle can run code, so it is refused and the converter named.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..backbone.ops import TORCH_OPS, Ops
from ..backbone.vae import TinyVAE, TinyVAEConfig
from ..errors import CheckpointError
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from .building import build_filled, fill
from .packing import pack, unpack
from .sharing import with_shared, without_shared
from .specs import read_spec
from .stable_diffusion import StableDiffusionVAE, build_stable_diffusion
from .streaming import Entry, write_safetensors

FORMAT = "cyberhost-2"
READ_FORMATS = (FORMAT, "cyberhost-1")  # the older one's specification is translated, see specs
_DIFFUSERS = '"_class_name"'  # a field of every configuration that diffusers writes


DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
Precision = Literal["8bit", "fp16", "bf16", "fp32"]  # how the system's weights are stored
_COMPANIONS = ("vae.", "audio_encoder.")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Hold a loaded system, ready to run.

    audio_encoder: state dict (as stored) and configuration of a HF Wav2Vec2Model, or None when the file
    holds none.
    """

    model: SystemModel
    vae: TinyVAE | StableDiffusionVAE | None
    audio_encoder: tuple[dict[str, Tensor], dict[str, Any]] | None
    licence: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> SystemSpec:
        return self.model.spec


def save_checkpoint(
    path: Path, checkpoint: Checkpoint, *, precision: Precision = "fp32", beside: Path | None = None
) -> None:
    """Write a checkpoint; see `write_parts`.

    Raises:   CheckpointError: see there
    """
    whole = Parts(
        spec=checkpoint.spec,
        system=checkpoint.model.state_dict(),
        vae=checkpoint.vae,
        audio_encoder=checkpoint.audio_encoder,
        licence=checkpoint.licence,
        training=checkpoint.training,
    )
    write_parts(path, whole, precision=precision, beside=beside)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Hold what a checkpoint is written from; system: state dict of the trainable parts, not yet a model."""

    spec: SystemSpec
    system: Mapping[str, Tensor]
    vae: TinyVAE | StableDiffusionVAE | None
    audio_encoder: tuple[dict[str, Tensor], dict[str, Any]] | None
    licence: str
    training: Mapping[str, Any]


def write_parts(path: Path, parts: Parts, *, precision: Precision, beside: Path | None = None) -> None:
    """Write a checkpoint, one tensor after the other.

    Autoencoder and audio encoder are stored in float16 unless all is in float32, see `companion_dtype`.

    beside: a checkpoint in the same folder; parts that it stores in the same bits are left out here
    Raises:   CheckpointError: beside cannot be read, or lies in another folder; path cannot be written, or a
              number is too large for the precision
    """
    metadata = {
        "format": FORMAT,
        "system": parts.spec.to_json(),
        "licence": parts.licence,
        "training": json.dumps(dict(parts.training)),
    }
    companions: dict[str, Tensor] = {}
    if parts.vae is not None:
        state, metadata["vae"] = _stored_autoencoder(parts.vae)
        companions |= {f"vae.{key}": value for key, value in state.items()}
    if parts.audio_encoder is not None:
        state, config = parts.audio_encoder
        companions |= {f"audio_encoder.{key}": value for key, value in state.items()}
        metadata["audio_encoder"] = json.dumps(config)
    system = pack(parts.system) if precision == "8bit" else parts.system
    dtype = None if precision == "8bit" else DTYPES[precision]
    entries = {key: _entry(value, dtype) for key, value in system.items()}
    entries |= {key: _entry(value, companion_dtype(dtype)) for key, value in companions.items()}
    if beside is not None:
        metadata, entries = _without_shared(path, metadata, entries, beside=beside)
    write_safetensors(path, entries, metadata, on_bytes=lambda _done, _total: None)


def companion_dtype(dtype: torch.dtype | None) -> torch.dtype:
    """Give the type that autoencoder and audio encoder are stored in, beside a system in some type.

    That is float16 where the system is in bfloat16, whose two to three digits are few for pictures.
    """
    return torch.float32 if dtype == torch.float32 else torch.float16


def _entry(value: Tensor, dtype: torch.dtype | None) -> Entry:
    stored = dtype if dtype and value.is_floating_point() else value.dtype
    return Entry(tuple(value.shape), stored, lambda: value)


def _stored_autoencoder(vae: TinyVAE | StableDiffusionVAE) -> tuple[Mapping[str, Tensor], str]:
    if isinstance(vae, TinyVAE):
        return vae.state_dict(), vae.config.to_json()
    return vae.network.state_dict(), json.dumps(vae.config, sort_keys=True)


def _without_shared(
    path: Path, metadata: dict[str, str], entries: dict[str, Entry], *, beside: Path
) -> tuple[dict[str, str], dict[str, Entry]]:
    if beside.resolve().parent != path.resolve().parent:
        raise CheckpointError(
            f"{path.name} cannot share parts with {beside}, which lies in another folder than "
            f"{path.parent}; write it beside that file."
        )
    stored = {key: entry.make().to(entry.dtype) for key, entry in entries.items()}
    metadata, kept = without_shared((metadata, stored), _read(beside), name=beside.name)
    return metadata, {key: entries[key] for key in kept}


@dataclass(frozen=True, kw_only=True)
class StoredCheckpoint:
    """Hold what a file says, before anything is built from it: for a host that builds with its own layers.

    Tensors are as they are stored and lie in the file until they are copied (eight-bit ones are unpacked).

    system: state dict of the trainable parts; vae: this package's autoencoder, built, or None; autoencoder:
    state dict and configuration of diffusers' AutoencoderKL, where the file holds that; audio_encoder,
    training: see Checkpoint
    """

    path: Path
    spec: SystemSpec
    system: Mapping[str, Tensor]
    vae: TinyVAE | None
    autoencoder: tuple[dict[str, Tensor], dict[str, Any]] | None
    audio_encoder: tuple[dict[str, Tensor], dict[str, Any]] | None
    licence: str
    training: Mapping[str, Any]


def open_checkpoint(path: Path) -> StoredCheckpoint:
    """Read what a checkpoint says; its weights stay on disk.

    Raises:   CheckpointError: missing, a pickle, truncated, foreign, of a newer format, an autoencoder that
              does not fit its configuration, or a file with shared parts that is not beside it
    """
    metadata, tensors = with_shared(path, _read(path), read=_read)
    parts = _by_part(unpack(tensors))
    vae = autoencoder = audio = None
    if _DIFFUSERS in metadata.get("vae", ""):
        autoencoder = (parts["vae."], json.loads(metadata["vae"]))
    elif "vae" in metadata:
        vae = TinyVAE(TinyVAEConfig.parse(metadata["vae"]))
        fill(vae, parts["vae."], path=path)
    if "audio_encoder" in metadata:
        audio = (parts["audio_encoder."], json.loads(metadata["audio_encoder"]))
    return StoredCheckpoint(
        path=path,
        spec=read_spec(metadata["system"]),
        system=parts[""],
        vae=vae,
        autoencoder=autoencoder,
        audio_encoder=audio,
        licence=metadata.get("licence", ""),
        training=json.loads(metadata.get("training", "{}")),
    )


def load_checkpoint(path: Path, *, ops: Ops = TORCH_OPS, dtype: torch.dtype = torch.float32) -> Checkpoint:
    """Read a checkpoint in evaluation mode; dtype is the system's precision, the autoencoder's is float32.

    It takes the memory of the weights in that precision, and little more on the way there.

    Raises:   CheckpointError: as open_checkpoint, or weights that do not fit
    """
    stored = open_checkpoint(path)
    return Checkpoint(
        model=system_model(stored, ops=ops, dtype=dtype),
        vae=stored_vae(stored),
        audio_encoder=stored.audio_encoder,
        licence=stored.licence,
        training=stored.training,
    )


def stored_vae(stored: StoredCheckpoint) -> TinyVAE | StableDiffusionVAE | None:
    """Build the autoencoder that a file holds, of either kind, frozen; None where it holds none.

    Raises:   CheckpointError: it does not fit its configuration
    """
    if stored.autoencoder is not None:
        return build_stable_diffusion(*stored.autoencoder, path=stored.path)
    return stored.vae


def system_model(
    stored: StoredCheckpoint, *, ops: Ops = TORCH_OPS, dtype: torch.dtype = torch.float32
) -> SystemModel:
    """Build the system that a file holds, in evaluation mode.

    Raises:   CheckpointError: weights that do not fit
    """
    return build_filled(
        lambda layers: SystemModel(stored.spec, ops=layers),
        stored.system,
        ops=ops,
        dtype=dtype,
        path=stored.path,
    )


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(
            f"There is no checkpoint at {path}; check the path, or leave it out for the bundled one."
        )
    if path.suffix in (".ckpt", ".pt", ".pth", ".bin", ".pkl"):
        raise CheckpointError(
            f"{path} is a pickle file, which can run code when it is read; a .safetensors file was expected; "
            "convert it once with 'cyberhost convert'."
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _check_format(metadata, path)
            return metadata, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as safetensors ({error}); it is truncated or of another kind: "
            "download or copy it again."
        ) from error


def _check_format(metadata: Mapping[str, str], path: Path) -> None:
    found = metadata.get("format", "none")
    if found not in READ_FORMATS or "system" not in metadata:
        raise CheckpointError(
            f"{path} is no CyberHost checkpoint (its format is '{found}', '{FORMAT}' was expected); "
            "give a file made by 'cyberhost train' or 'cyberhost convert'."
        )


def _by_part(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {"": {}, **{prefix: {} for prefix in _COMPANIONS}}
    for key, value in tensors.items():
        prefix = next((name for name in parts if name and key.startswith(name)), "")
        parts[prefix][key.removeprefix(prefix)] = value
    return parts
