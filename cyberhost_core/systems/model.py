"""The trainable model of a system: the denoiser, and the encoders of everything that it is told.

reference picture -> ReferenceNet (+ skeleton map) ----+
motion frames ----> ReferenceNet ----------------------+
speech features --> projection ------------------------+--> Conditions --> denoiser(x_t, t)
hand crops, face vector --> identity tokens -----------+
movement map, hand clarity ----------------------------+
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..backbone.conditions import Conditions, Taps
from ..backbone.embeddings import AudioProjection, ClarityEmbedding, FaceProjection
from ..backbone.map_encoder import HandEncoder, MapEncoder
from ..backbone.ops import TORCH_OPS, Ops, zero_init
from ..backbone.reference_net import ReferenceNet
from ..backbone.region_attention import RegionAttentionConfig
from ..backbone.unet import UNet
from .spec import SystemSpec


@dataclass(frozen=True)
class Reference:
    """What the reference picture gives once per video.

    Shapes:   features: path -> (B, S, C); identity: region -> (B, R, D); input_BCHW: added after conv_in, or
              a scalar 0
    """

    features: Mapping[str, Tensor]
    identity: Mapping[str, Tensor]
    input_BCHW: Tensor


@dataclass(frozen=True, kw_only=True)
class Drive:
    """What drives one segment.

    Shapes:   audio_BFWD speech windows; maps_BFCYX movement or skeleton maps in 0..1, with F = 1 for a map
              that stands still; clarity_BF4; motion: path -> (B, M, S, C), empty for a first segment
    """

    audio_BFWD: Tensor
    maps_BFCYX: Tensor
    clarity_BF4: Tensor
    motion: Mapping[str, Tensor] = field(default_factory=dict)


class Encoders(nn.Module):
    """Hold every trainable part but the denoiser, under the names that a checkpoint uses as prefixes."""

    def __init__(self, spec: SystemSpec, *, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        self.spec = spec
        unet, first = spec.unet, spec.unet.channels[0]
        self.reference_net = ReferenceNet(unet, ops=ops)
        regions = {
            layer.region
            for layer in unet.layers
            if isinstance(layer, RegionAttentionConfig) and layer.identity_dim
        }
        identity = spec.identity
        self.movement_encoder = spec.movement_encoder and MapEncoder(spec.movement_encoder, first, ops=ops)
        self.pose_encoder = spec.pose_encoder and MapEncoder(spec.pose_encoder, first, ops=ops)
        self.clarity_embedding = spec.clarity and ClarityEmbedding(
            unet.embedding_dim, unit=spec.clarity.unit, ops=ops
        )
        self.audio_projection = spec.audio and AudioProjection(
            spec.audio.feature_dim, spec.audio.token_dim, window=spec.audio.window, ops=ops
        )
        self.reference_input = (
            zero_init(ops.Conv2d(unet.latent_channels, first, 3, padding=1)) if spec.reference_input else None
        )
        self.hand_encoder = (
            HandEncoder(identity.hand_encoder, identity.token_dim, ops=ops) if "hands" in regions else None
        )
        self.face_projection = (
            FaceProjection(512, identity.token_dim, tokens=identity.face_tokens, ops=ops)
            if "face" in regions
            else None
        )

    def encode_reference(
        self, *, latents_BCHW: Tensor, skeleton_BCYX: Tensor, hand_crops_BHCYX: Tensor, face_vector_BD: Tensor
    ) -> Reference:
        """Read the reference picture: once per video at inference, once per step in training."""
        pose = self.pose_encoder(skeleton_BCYX) if self.pose_encoder else latents_BCHW.new_zeros(1)
        identity = {}
        if self.hand_encoder:
            identity["hands"] = self.hand_encoder(hand_crops_BHCYX)
        if self.face_projection:
            identity["face"] = self.face_projection(face_vector_BD)
        direct = self.reference_input(latents_BCHW) if self.reference_input else latents_BCHW.new_zeros(1)
        return Reference(self.reference_net.features(latents_BCHW, pose), identity, direct)

    def encode_motion(self, latents_BMCHW: Tensor) -> dict[str, Tensor]:
        """Read the motion frames; they carry no skeleton map."""
        clips = len(latents_BMCHW)
        features = self.reference_net.features(latents_BMCHW.flatten(0, 1), latents_BMCHW.new_zeros(1))
        return {path: feature.unflatten(0, (clips, -1)) for path, feature in features.items()}

    def conditions(
        self, reference: Reference, drive: Drive, *, reference_rows: Sequence[bool], taps: Taps | None = None
    ) -> Conditions:
        """Encode one segment's drive and join it with the reference."""
        frames = drive.audio_BFWD.shape[1]
        zero = drive.audio_BFWD.new_zeros(1)
        return Conditions(
            frames=frames,
            reference=reference.features,
            reference_rows=tuple(reference_rows),
            motion=drive.motion,
            audio_NWD=self.audio_projection(drive.audio_BFWD.flatten(0, 1))
            if self.audio_projection
            else zero,
            identity=reference.identity,
            map_NCHW=self._encode_maps(drive.maps_BFCYX, frames)
            + self._direct(reference, reference_rows, frames),
            time_NE=self.clarity_embedding(drive.clarity_BF4.flatten(0, 1))
            if self.clarity_embedding
            else zero,
            taps=taps or Taps(),
        )

    def _encode_maps(self, maps_BFCYX: Tensor, frames: int) -> Tensor:
        if self.movement_encoder is None:
            return maps_BFCYX.new_zeros(1)
        encoded = self.movement_encoder(maps_BFCYX.flatten(0, 1))
        return encoded if maps_BFCYX.shape[1] == frames else encoded.repeat_interleave(frames, dim=0)

    def _direct(self, reference: Reference, reference_rows: Sequence[bool], frames: int) -> Tensor:
        if self.reference_input is None:
            return reference.input_BCHW
        kept = torch.tensor(list(reference_rows), device=reference.input_BCHW.device)
        return (reference.input_BCHW * kept[:, None, None, None]).repeat_interleave(frames, dim=0)


class SystemModel(Encoders):
    """Hold all trainable parts: the encoders, and the denoiser that their conditions drive."""

    def __init__(self, spec: SystemSpec, *, ops: Ops = TORCH_OPS) -> None:
        super().__init__(spec, ops=ops)
        self.denoiser = UNet(spec.unet, ops=ops)


def parameter_table(model: nn.Module) -> dict[str, int]:
    """Count parameters by part: the top modules, and inside the U-Nets by kind of layer."""
    table: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        kinds = [part for part in parts if part in _KINDS]
        key = f"{parts[0]}.{kinds[0]}" if kinds else parts[0]
        table[key] = table.get(key, 0) + parameter.numel()
    return table


_KINDS = frozenset(
    {
        "resnets",
        "attentions",
        "face_attentions",
        "hands_attentions",
        "motion_modules",
        "downsamplers",
        "upsamplers",
    }
)


def count_parameters(model: nn.Module) -> int:
    """All parameters of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def on_meta(spec: SystemSpec) -> SystemModel:
    """Build a system without allocating its weights, to look at its names, shapes and counts."""
    with torch.device("meta"):
        return SystemModel(spec)
