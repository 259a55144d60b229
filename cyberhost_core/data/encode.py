"""Turn a video whose keypoints are known into what a trainer reads: latents, scores, features, crops."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..controls.hand_clarity import hand_clarity
from ..controls.regions import hand_crops
from ..hands.confidence import hand_confidence
from ..hands.parameters import HandParameters
from ..perception.face_identity import FaceIdentity, face_seen
from ..types import Pose
from .store import PreparedVideo

ENCODE_CHUNK = 32


class EncodesPictures(Protocol):
    """Turns pictures (N, 3, Y, X) in -1..1 into latents (N, C, h, w) of about unit variance."""

    def encode(self, x: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Encoder:
    """Hold the networks that prepare videos."""

    vae: EncodesPictures
    face_identity: FaceIdentity

    def encode(
        self,
        frames_FYXC: np.ndarray,
        pose: Pose,
        *,
        hands: HandParameters,
        detected: Pose,
        audio_FD: Tensor,
        references: int,
    ) -> PreparedVideo:
        """Prepare one video.

        Reference candidates are frames with the face seen, spread evenly over the video.

        Shapes:   frames_FYXC uint8 RGB of the pose's canvas; hands of the same frames; audio_FD speech
                  features at the video's fps
        detected: what a detector sees in these frames, for the confidence of the hands; of real footage, pose
                  is the same
        """
        candidates = np.flatnonzero(face_seen(pose.face_FKC))
        chosen = candidates[np.linspace(0, len(candidates) - 1, references).round().astype(int)]
        crops = torch.stack([hand_crops(frames_FYXC[i], pose[i : i + 1]).images_NCHW for i in chosen])
        vectors = self.face_identity.embed_frames(frames_FYXC[chosen], pose.face_FKC[chosen])
        return PreparedVideo(
            latents_FCHW=self._latents(frames_FYXC).float().numpy().astype(np.float16),
            pose=pose,
            hands=hands,
            hand_confidence_FH=hand_confidence(detected),
            audio_FD=audio_FD.numpy().astype(np.float16),
            clarity_F4=hand_clarity(frames_FYXC, pose).numpy(),
            reference_R=chosen.astype(np.int64),
            hand_crops_RHCYX=((crops + 1) * 127.5).round().to(torch.uint8).numpy(),
            face_vectors_RD=vectors.astype(np.float32),
        )

    @torch.inference_mode()
    def _latents(self, frames_FYXC: np.ndarray) -> Tensor:
        x = torch.from_numpy(frames_FYXC).permute(0, 3, 1, 2).float() / 127.5 - 1
        return torch.cat([self.vae.encode(chunk) for chunk in x.split(ENCODE_CHUNK)])
