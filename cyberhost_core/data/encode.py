"""Turn a video whose keypoints are known into what a trainer reads: latents, scores, features, crops."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..controls.regions import hand_crops
from ..hands.confidence import hand_confidence
from ..hands.parameters import HandParameters
from ..perception.face_identity import FaceIdentity, face_seen
from ..types import Pose
from ..units import decibels
from .store import PreparedVideo

ENCODE_CHUNK = 32
# Of the frames that show the face, one in this many (half a second) may be a reference: nearly any of "two
# arbitrary frames" (section 4.1), for a sixth more bytes than none (docs/decisions/0008).
REFERENCE_EVERY = 12


class DescribesPicture(Protocol):
    """Turns a picture (Y, X, 3) uint8 RGB into one vector (D,)."""

    def embed(self, image_YXC: np.ndarray, /) -> Tensor: ...


class EncodesPictures(Protocol):
    """Turns pictures (N, 3, Y, X) in -1..1 into latents (N, C, h, w) of about unit variance, and back."""

    def encode(self, x: Tensor, /) -> Tensor: ...

    def decode(self, latents: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Encoder:
    """Hold the networks that prepare videos; clip_vision: only where a system asks for its vectors."""

    vae: EncodesPictures
    face_identity: FaceIdentity
    clip_vision: DescribesPicture | None = None

    def encode(
        self,
        frames_FYXC: np.ndarray,
        pose: Pose,
        *,
        hands: HandParameters,
        detected: Pose,
        audio_FD: Tensor,
        clarity_F4: Tensor,
    ) -> PreparedVideo:
        """Prepare one video.

        Every twelfth of the frames with the face seen may be a reference; there must be one.

        Shapes:   frames_FYXC uint8 RGB of the pose's canvas; hands of the same frames; audio_FD speech
                  features at the video's fps; clarity_F4 (F, 4) hand clarity, measured on the pictures as
                  they were filmed
        detected: what a detector sees in these frames, for the confidence of the hands; of real footage, pose
                  is the same
        """
        chosen = np.flatnonzero(face_seen(pose.face_FKC))[::REFERENCE_EVERY]
        crops = torch.stack([hand_crops(frames_FYXC[i], pose[i : i + 1]).images_NCHW for i in chosen])
        raw_RD = self.face_identity.raw_frames(frames_FYXC[chosen], pose.face_FKC[chosen])
        lengths_R = np.maximum(np.linalg.norm(raw_RD, axis=1), 1e-12)
        latents = self._latents(frames_FYXC)
        return PreparedVideo(
            latents_FCHW=latents.float().numpy().astype(np.float16),
            pose=pose,
            hands=hands,
            hand_confidence_FH=hand_confidence(detected),
            audio_FD=audio_FD.numpy().astype(np.float16),
            clarity_F4=clarity_F4.numpy(),
            picture_db=self._came_back_db(frames_FYXC[chosen[0]], latents[chosen[0]]),
            reference_R=chosen.astype(np.int64),
            hand_crops_RHCYX=((crops + 1) * 127.5).round().to(torch.uint8).numpy(),
            face_vectors_RD=(raw_RD / lengths_R[:, None]).astype(np.float32),
            face_lengths_R=lengths_R.astype(np.float32),
            picture_vectors_RD=self._picture_vectors(frames_FYXC[chosen]),
        )

    def _picture_vectors(self, frames_RYXC: np.ndarray) -> np.ndarray | None:
        if self.clip_vision is None:
            return None
        return np.stack([self.clip_vision.embed(frame_YXC).numpy() for frame_YXC in frames_RYXC])

    @torch.inference_mode()
    def _latents(self, frames_FYXC: np.ndarray) -> Tensor:
        starts = range(0, len(frames_FYXC), ENCODE_CHUNK)  # pixels take four times the bytes as float32
        chunks = (_pixels(frames_FYXC[start : start + ENCODE_CHUNK]) for start in starts)
        return torch.cat([self.vae.encode(chunk) for chunk in chunks])

    @torch.inference_mode()
    def _came_back_db(self, frame_YXC: np.ndarray, latent_CHW: Tensor) -> float:
        error = (self.vae.decode(latent_CHW[None]) - _pixels(frame_YXC[None])).pow(2).mean()
        return decibels(float(error), peak=2.0)


def _pixels(frames_FYXC: np.ndarray) -> Tensor:
    return torch.from_numpy(frames_FYXC).permute(0, 3, 1, 2).float() / 127.5 - 1
