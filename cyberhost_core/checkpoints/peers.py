"""Convert the public relatives' files into one checkpoint of ours.

    files -> parts (by their headers) -> names -> ours -> spec from shapes -> compared -> streamed out

Source: the names are those of the projects' own classes; what each does beside its names is in `KINDS`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import CheckpointError
from ..systems.model import on_meta
from ..systems.public import PEERS, PeerConfig
from ..systems.spec import SystemSpec
from .accounting import Fate, Ledger, Report, Shapes
from .companions import add_companions
from .motion_names import motion_fate, positions_in, without_wrapper
from .peer_files import DENOISER, PARTS, PartFile, find_parts, recognised_kind
from .streaming import OnBytes
from .writing import Plan, write_checkpoint

_AUDIO_MODULE_NAMES = {
    r"\.attn2_(\d+)\.": r".audio_attns.\1.",
    r"\.zero_conv_full\.": ".audio_gates.0.",
    r"\.zero_conv_face\.": ".audio_gates.1.",
    r"\.zero_conv_lip\.": ".audio_gates.2.",
}
PUBLISHED = PeerConfig()  # the sizes of the files that the projects themselves offer

_INLINE_AUDIO_NAMES = {r"\.norm2\.": ".norm_audio.", r"\.attn2\.": ".attn_audio."}


@dataclass(frozen=True, kw_only=True)
class Peer:
    """What is peculiar to one project's files.

    inline_audio: attn2 of the denoiser's transformers listens to the sound; idle_motion: its inference runs
    no motion module in blocks without attention; licence: as the pages of code and weights state it.
    """

    files: str
    code: str
    weights: str
    licence: str
    inline_audio: bool = False
    idle_motion: bool = False


KINDS: Mapping[str, Peer] = {
    "echomimic-v2": Peer(
        files="denoising_unet.pth, motion_module.pth, reference_unet.pth and pose_encoder.pth",
        code="https://github.com/antgroup/echomimic_v2",
        weights="https://huggingface.co/BadToBest/EchoMimicV2",
        licence="code Apache-2.0; weights: not stated on their page",
        inline_audio=True,
    ),
    "hallo": Peer(
        files="net.pth",
        code="https://github.com/fudan-generative-vision/hallo",
        weights="https://huggingface.co/fudan-generative-ai/hallo",
        licence="code MIT; weights MIT",
        idle_motion=True,
    ),
    "animate-anyone": Peer(
        files="denoising_unet.pth, motion_module.pth, reference_unet.pth and pose_guider.pth",
        code="https://github.com/MooreThreads/Moore-AnimateAnyone",
        weights="https://huggingface.co/patrolli/AnimateAnyone",
        licence="code Apache-2.0; weights Apache-2.0",
    ),
}


def convert_peer(
    kind: str,
    sources: Iterable[Path],
    out: Path,
    *,
    config: PeerConfig = PUBLISHED,
    dtype: torch.dtype = torch.float16,
    vae: Path | None = None,
    audio_encoder: Path | None = None,
    drop: Sequence[str] = (),
    on_bytes: OnBytes = lambda _done, _total: None,
) -> Report:
    """Convert a public model into one file; see `plan_peer`, which this writes out.

    Raises:   CheckpointError, UnaccountedWeightsError: as plan_peer; or out cannot be written
    """
    plan = plan_peer(kind, sources, config=config, vae=vae, audio_encoder=audio_encoder, drop=drop)
    return write_checkpoint(plan, out, dtype=dtype, on_bytes=on_bytes)


def plan_peer(
    kind: str,
    sources: Iterable[Path],
    *,
    config: PeerConfig = PUBLISHED,
    vae: Path | None = None,
    audio_encoder: Path | None = None,
    drop: Sequence[str] = (),
) -> Plan:
    """Account for every weight of a public model; sources are its files, or the folder that holds them.

    Names that begin with one of `drop` are left out at the caller's word. Positions in the files overrule
    those of the config.

    Raises:   CheckpointError: a file is unreadable, of another model, or missing
              UnaccountedWeightsError: a weight is missing, unexpected or of another shape
    """
    peer, ledger = KINDS[kind], Ledger(kind)
    give = f"give {peer.files}, or the folder that holds them"
    parts, left_alone = find_parts(sources, accelerated=config.accelerated, advice=give)
    _require_kind(kind, parts)
    ledger.report.notes += [f"{name} is no part of this model and was left alone." for name in left_alone]
    attentive = {_block(name) for part in parts for name in part.names_in(DENOISER) if ".attentions." in name}
    for part in parts:
        ledger.take(part.source, _fates(part.part, peer, attentive=attentive, drop=tuple(drop)))
    positions = positions_in(part.source for part in parts)
    spec, expected = _system(kind, ledger.shapes, config.derive(positions=positions) if positions else config)
    companions = add_companions(ledger, vae=vae, audio_encoder=audio_encoder)
    ledger.settle(
        expected | companions.shapes, advice=f"{give}; an unexpected weight can be left out with --drop"
    )
    return Plan(
        ledger=ledger,
        spec=spec,
        licence=peer.licence,
        metadata=companions.metadata | {"sources": json.dumps({"code": peer.code, "weights": peer.weights})},
    )


def _system(kind: str, shapes: Shapes, config: PeerConfig) -> tuple[SystemSpec, dict[str, tuple[int, ...]]]:
    """What the weights are of, by their shapes, and all names and shapes that such a system has."""
    try:
        spec = PEERS[kind](shapes, config)
        return spec, {name: tuple(value.shape) for name, value in on_meta(spec).state_dict().items()}
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"The sizes of these weights make no {kind} ({error}); give {KINDS[kind].files} as downloaded."
        ) from error


def _require_kind(kind: str, parts: Iterable[PartFile]) -> None:
    found = recognised_kind(parts)
    if found not in ("", kind):
        raise CheckpointError(
            f"These are weights of {found}, weights of {kind} were expected; use 'cyberhost convert {found}'."
        )


def _fates(part: str, peer: Peer, *, attentive: set[str], drop: tuple[str, ...]) -> Callable[[str], Fate]:
    def fate(name: str) -> Fate:
        if drop and name.startswith(drop):
            return Fate(reason="left out as asked")
        whole = part + without_wrapper(name)
        prefix = next((known for known in PARTS if whole.startswith(known)), None)
        if prefix is None:
            return Fate()
        rest = whole.removeprefix(prefix)
        return _in_denoiser(rest, peer, attentive) if prefix == DENOISER else Fate((PARTS[prefix] + rest,))

    return fate


def _in_denoiser(name: str, peer: Peer, attentive: set[str]) -> Fate:
    if ".motion_modules." in name:
        if peer.idle_motion and _block(name) not in attentive:
            idle = "never run by the project's own inference: its block has no attention"
            return Fate((f"denoiser.{name}",), reason=idle)
        return motion_fate(name)
    if ".audio_modules." in name:
        ours = _renamed(name, _AUDIO_MODULE_NAMES)
        return Fate((f"denoiser.{ours}",), as_linear=".audio_gates." in ours)
    if peer.inline_audio and ".attentions." in name:
        return Fate((f"denoiser.{_renamed(name, _INLINE_AUDIO_NAMES)}",))
    return Fate((f"denoiser.{name}",))


def _renamed(name: str, rules: Mapping[str, str]) -> str:
    for pattern, replacement in rules.items():
        name = re.sub(pattern, replacement, name)
    return name


def _block(name: str) -> str:
    """The path of the block that a weight lies in: "down_blocks.3", "mid_block"."""
    first, second = name.split(".")[:2]
    return first if first == "mid_block" else f"{first}.{second}"
