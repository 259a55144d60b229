"""The encoders of everything that a denoiser is told, and what each guidance pass is told of it.

reference picture -> ReferenceNet (+ skeleton map) ----+
motion frames ----> ReferenceNet ----------------------+
speech features --> projection ------------------------+--> Conditions --> denoiser(x_t, t)
hand crops, face vector --> identity tokens -----------+
face or picture vector --> image tokens ---------------+
movement or hand map, clarity or confidence of hands --+
masks of the face -------------------------------------+
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..backbone.conditions import Conditions, Features, Taps
from ..backbone.embeddings import (
    ClarityEmbedding,
    ConfidenceEmbedding,
    FaceProjection,
    VectorProjection,
)
from ..backbone.map_encoder import HandEncoder, MapEncoder
from ..backbone.ops import TORCH_OPS, Ops, zero_init
from ..backbone.reference_net import ReferenceNet
from ..backbone.region_attention import RegionAttentionConfig
from ..diffusion.guidance import PassName
from .spec import LongVideoSpec, SystemSpec

if TYPE_CHECKING:
    from ..backbone.audio_projection import AudioProjection

_NOTHING = torch.empty(0)
_WITHOUT, _WITH = 0, 1  # the pass without the reference comes first in a joined batch


@dataclass(frozen=True)
class Reference:
    """What the reference picture gives once per video.

    Shapes:   features: path -> (B * K, S, C), see Conditions; identity: region -> (B, R, D); input_BCHW:
              added after conv_in, or a scalar 0; image_BRD, null_image_BRD: tokens of the whole picture, and
              what stands for them without it; latents_BCHW: the picture itself
    """

    features: Features
    identity: Features
    input_BCHW: Tensor
    image_BRD: Tensor = _NOTHING
    null_image_BRD: Tensor = _NOTHING
    latents_BCHW: Tensor = _NOTHING

    def to(self, device: torch.device, dtype: torch.dtype) -> "Reference":
        """Move and convert every tensor."""
        return Reference(
            _moved(self.features, device, dtype),
            _moved(self.identity, device, dtype),
            self.input_BCHW.to(device, dtype),
            image_BRD=self.image_BRD.to(device, dtype),
            null_image_BRD=self.null_image_BRD.to(device, dtype),
            latents_BCHW=self.latents_BCHW.to(device, dtype),
        )


@dataclass(frozen=True)
class Motion:
    """What the motion frames give a segment: path -> (B, M, S, C), and the same for the null pass."""

    features: Features = field(default_factory=dict)
    null_features: Features = field(default_factory=dict)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Motion":
        """Move and convert every tensor."""
        return Motion(_moved(self.features, device, dtype), _moved(self.null_features, device, dtype))


@dataclass(frozen=True, kw_only=True)
class Drive:
    """What drives one segment.

    Shapes:   audio_BFWD speech windows, (B, F, 0, 0) for a system that hears nothing; maps_BFCYX movement,
              skeleton or hand maps in 0..1, with F = 1 for a map that stands still; clarity_BF4;
              confidence_BF2; masks: stage -> (B, F or 1, regions, S); region_weights: one per region
    """

    audio_BFWD: Tensor
    maps_BFCYX: Tensor
    clarity_BF4: Tensor
    confidence_BF2: Tensor = _NOTHING
    motion: Motion = field(default_factory=Motion)
    masks: Mapping[int, Tensor] = field(default_factory=dict)
    region_weights: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def frames(self) -> int:
        return self.audio_BFWD.shape[1]

    def to(self, device: torch.device, dtype: torch.dtype) -> "Drive":
        """Move and convert every tensor; scores stay float32, they are numbers to be embedded."""
        return Drive(
            audio_BFWD=self.audio_BFWD.to(device, dtype),
            maps_BFCYX=self.maps_BFCYX.to(device, dtype),
            clarity_BF4=self.clarity_BF4.to(device),
            confidence_BF2=self.confidence_BF2.to(device),
            motion=self.motion.to(device, dtype),
            masks={stage: mask.to(device, dtype) for stage, mask in self.masks.items()},
            region_weights=self.region_weights,
        )


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
        identity, audio, image = spec.identity, spec.audio, spec.image_tokens
        self.movement_encoder = spec.movement_encoder and MapEncoder(spec.movement_encoder, first, ops=ops)
        self.pose_encoder = spec.pose_encoder and MapEncoder(spec.pose_encoder, first, ops=ops)
        self.clarity_embedding = spec.clarity and ClarityEmbedding(
            unet.embedding_dim, unit=spec.clarity.unit, ops=ops
        )
        self.confidence_embedding = (
            ConfidenceEmbedding(first, ops=ops) if spec.hand_confidence is not None else None
        )
        self.audio_projection: AudioProjection | None = audio and audio.projection.build(
            audio.feature_dim, audio.token_dim, window=audio.window, ops=ops
        )
        self.image_projection = (
            VectorProjection(image.vector_dim, image.token_dim, tokens=image.tokens, ops=ops)
            if image and image.projected
            else None
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
        self,
        *,
        latents_BCHW: Tensor,
        skeleton_BCYX: Tensor = _NOTHING,
        hand_crops_BHCYX: Tensor = _NOTHING,
        face_vector_BD: Tensor = _NOTHING,
        image_vector_BD: Tensor = _NOTHING,
    ) -> Reference:
        """Read the reference picture: once per video at inference, once per step in training.

        What the system has no part for may be left out.
        """
        pose = self.pose_encoder(skeleton_BCYX) if self.pose_encoder else latents_BCHW.new_zeros(1)
        identity = {}
        if self.hand_encoder:
            identity["hands"] = self.hand_encoder(hand_crops_BHCYX)
        if self.face_projection:
            identity["face"] = self.face_projection(face_vector_BD)
        direct = self.reference_input(latents_BCHW) if self.reference_input else latents_BCHW.new_zeros(1)
        image, null_image = self._image_tokens(image_vector_BD)
        alternating = self.spec.image_tokens is not None and self.spec.image_tokens.alternating
        rows = (_WITHOUT, _WITH) if alternating else (_WITH,)
        features = self._read(
            latents_BCHW[:, None].expand(-1, len(rows), -1, -1, -1),
            pose.repeat_interleave(len(rows), dim=0) if self.pose_encoder else pose,
            [self._row_tokens(image, null_image, row=row, at=0) for row in rows],
        )
        return Reference(
            features,
            identity,
            direct,
            image_BRD=image,
            null_image_BRD=null_image,
            latents_BCHW=latents_BCHW,
        )

    def encode_motion(self, latents_BMCHW: Tensor, reference: Reference) -> Motion:
        """Read the motion frames; they carry no skeleton map."""
        frames = range(1, 1 + latents_BMCHW.shape[1])

        def read(row: int) -> Features:
            tokens = [
                self._row_tokens(reference.image_BRD, reference.null_image_BRD, row=row, at=at)
                for at in frames
            ]
            features = self._read(latents_BMCHW, latents_BMCHW.new_zeros(1), tokens)
            return {path: value.unflatten(0, (len(latents_BMCHW), -1)) for path, value in features.items()}

        seen = read(_WITH)
        return Motion(seen, read(_WITHOUT) if self.spec.image_tokens else seen)

    def conditions(
        self, reference: Reference, drive: Drive, *, reference_rows: Sequence[bool], taps: Taps | None = None
    ) -> Conditions:
        """Encode one segment's drive and join it with the reference."""
        return self._join(
            reference,
            drive,
            reference_rows=reference_rows,
            audio_NWD=self._heard(drive),
            map_NCHW=self._encoded_maps(drive),
            image_BRD=reference.image_BRD,
            motion=drive.motion.features,
            taps=taps,
        )

    def pass_conditions(self, reference: Reference, drive: Drive, *, name: PassName) -> Conditions:
        """What one guidance pass is told; see diffusion.guidance for what each drops."""
        null, clips = name == "null", len(drive.audio_BFWD)
        drops_map = null and not self.spec.null_keeps_map
        return self._join(
            reference,
            drive,
            reference_rows=[not null] * clips,
            audio_NWD=self._heard(drive) if name == "full" else self._silence(drive),
            map_NCHW=self._no_map(drive) if drops_map else self._encoded_maps(drive),
            image_BRD=reference.null_image_BRD if null else reference.image_BRD,
            motion=drive.motion.null_features if null else drive.motion.features,
        )

    def _join(
        self,
        reference: Reference,
        drive: Drive,
        *,
        reference_rows: Sequence[bool],
        audio_NWD: Tensor,
        map_NCHW: Tensor,
        image_BRD: Tensor,
        motion: Features,
        taps: Taps | None = None,
    ) -> Conditions:
        clips, frames = drive.audio_BFWD.shape[:2]
        direct = self._direct(reference, reference_rows, frames)
        clarity = self.clarity_embedding
        return Conditions(
            frames=frames,
            reference=_in_turn(reference.features, clips=clips, frames=frames),
            reference_rows=tuple(reference_rows),
            motion=motion,
            audio_NWD=audio_NWD,
            identity=reference.identity,
            image_BRD=image_BRD,
            masks={stage: _per_row(mask, frames) for stage, mask in drive.masks.items()},
            region_weights=drive.region_weights,
            map_NCHW=map_NCHW + direct + self._sureness(drive, like=map_NCHW),
            time_NE=clarity(drive.clarity_BF4.flatten(0, 1)) if clarity else map_NCHW.new_zeros(1),
            taps=taps or Taps(),
        )

    def _heard(self, drive: Drive) -> Tensor:
        windows_NWD = drive.audio_BFWD.flatten(0, 1)
        return self.audio_projection(windows_NWD) if self.audio_projection else windows_NWD.new_zeros(1)

    def _silence(self, drive: Drive) -> Tensor:
        windows_NWD = drive.audio_BFWD.flatten(0, 1)
        projection = self.audio_projection
        return projection.silent(windows_NWD) if projection else windows_NWD.new_zeros(1)

    def _encoded_maps(self, drive: Drive) -> Tensor:
        maps_BFCYX = drive.maps_BFCYX
        if self.movement_encoder is None:
            return maps_BFCYX.new_zeros(1)
        encoded = self.movement_encoder(maps_BFCYX.flatten(0, 1))
        moving = maps_BFCYX.shape[1] == drive.frames
        return encoded if moving else encoded.repeat_interleave(drive.frames, dim=0)

    def _no_map(self, drive: Drive) -> Tensor:
        """What a pass without the map adds: nothing, which is not what an empty map's encoding is."""
        if self.spec.movement_encoder is None:
            return drive.maps_BFCYX.new_zeros(1)
        rows, stride = len(drive.audio_BFWD) * drive.frames, self.spec.movement_encoder.stride
        height, width = (side // stride for side in drive.maps_BFCYX.shape[-2:])
        return drive.maps_BFCYX.new_zeros(rows, self.spec.unet.channels[0], height, width)

    def _sureness(self, drive: Drive, *, like: Tensor) -> Tensor:
        embedding = self.confidence_embedding
        return embedding(drive.confidence_BF2.flatten(0, 1)) if embedding else like.new_zeros(1)

    def _direct(self, reference: Reference, reference_rows: Sequence[bool], frames: int) -> Tensor:
        if self.reference_input is None:
            return reference.input_BCHW
        kept = torch.tensor(list(reference_rows), device=reference.input_BCHW.device)
        return (reference.input_BCHW * kept[:, None, None, None]).repeat_interleave(frames, dim=0)

    def _image_tokens(self, vector_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens of the picture's vector, and of none; unprojected, it is one token or several end to end."""
        if self.spec.image_tokens is None:
            return _NOTHING, _NOTHING
        nothing = torch.zeros_like(vector_BD)
        if self.image_projection is None:
            each = (-1, self.spec.image_tokens.token_dim)
            return vector_BD.unflatten(1, each), nothing.unflatten(1, each)
        return self.image_projection(vector_BD), self.image_projection(nothing)

    def _row_tokens(self, image_BRD: Tensor, null_image_BRD: Tensor, *, row: int, at: int) -> Tensor:
        """Tokens for one input of the ReferenceNet: number `at` of those that serve a pass.

        Inputs of a pass are the reference, then its motion frames.
        """
        tokens = self.spec.image_tokens
        if tokens is not None and tokens.alternating:
            return image_BRD if (row * self._reference_inputs + at) % 2 else null_image_BRD
        return image_BRD if row == _WITH else null_image_BRD

    @property
    def _reference_inputs(self) -> int:
        long = self.spec.long_video
        return 1 + long.motion_frames if isinstance(long, LongVideoSpec) else 1

    def _read(self, latents_BMCHW: Tensor, pose: Tensor, tokens: Sequence[Tensor]) -> Features:
        """Run the ReferenceNet on M pictures per clip, each with its tokens of the whole picture."""
        joined = torch.stack(list(tokens), dim=1).flatten(0, 1) if self.spec.image_tokens else _NOTHING
        return self.reference_net.features(latents_BMCHW.flatten(0, 1), pose, joined)


def _in_turn(features: Features, *, clips: int, frames: int) -> Features:
    """Where a clip has several references, let the first frame meet the one that is its turn.

    The pass with the reference follows the one without in a joined batch, whose rows are counted through.
    """

    def turned(feature: Tensor) -> Tensor:
        if len(feature) == clips:  # one each, as nearly always: no copy of a whole bank
            return feature
        return feature.unflatten(0, (clips, -1)).roll(-frames, dims=1).flatten(0, 1)

    return {path: turned(feature) for path, feature in features.items()}


def _moved(tensors: Features, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    return {key: value.to(device, dtype) for key, value in tensors.items()}


def _per_row(mask_BFRS: Tensor, frames: int) -> Tensor:
    """Fold (B, F or 1, R, S) to (B * F, R, S)."""
    return mask_BFRS.expand(-1, frames, -1, -1).flatten(0, 1)
