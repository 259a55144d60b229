"""Make training batches from prepared videos: a pure function of (seed, step, rank), so that runs resume.

video -> reference frame, clip of F frames, M motion frames before it
      -> maps, masks, heatmaps (drawn here), windows, scores -> Batch
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..config import Config
from ..controls.audio_windows import windows
from ..controls.heatmaps import hand_heatmaps
from ..controls.limb_heatmaps import pose_heatmaps
from ..controls.regions import face_masks, hand_masks
from ..controls.skeleton_map import draw_skeleton
from ..data.store import PreparedVideo, PreparedVideos, StoreError
from ..diffusion.schedule import TRAIN_STEPS
from ..systems.spec import SystemSpec
from .maps import DrawnMaps, MapConfig, choose_maps


class SamplingConfig(Config):
    """How clips are drawn and which conditions are dropped.

    motion_noise: the largest sigma of noise on the motion frames, which at inference are the model's own
    work.
    """

    clips: int = 1
    maps: MapConfig = MapConfig()
    drop_reference: float = 0.05
    drop_audio: float = 0.1
    drop_motion: float = 0.25
    motion_noise: float = 0.0
    timestep_power: float = 1.0  # t = 1000 u^power, u uniform; below 1 high noise comes more often


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Hold one step's input.

    Shapes:   latents, noise (B, F, C, h, w); motion (B, M, C, h, w), M = 0 when dropped or in stage 1;
              reference (B, C, h, w); skeleton (B, 3, Y, X); hand_crops (B, 2, 3, 128, 128) and
              maps (B, F or 1, 3 or 6, Y, X) in 0..1; face (B, 512); audio (B, F, window, D); clarity
              (B, F, 4); confidence (B, F, 2); masks (B * F, 1, h, w); heatmaps (h, w) -> (B * F, 21, h, w);
              pose_heatmaps (B * F, 59, h, w), see controls.limb_heatmaps; timestep (B,); chance (B,)
              uniform in 0..1, for the 50 % rule of the loss; reference_rows B booleans
    """

    latents: Tensor
    noise: Tensor
    motion: Tensor
    reference: Tensor
    skeleton: Tensor
    hand_crops: Tensor
    face: Tensor
    audio: Tensor
    maps: Tensor
    clarity: Tensor
    confidence: Tensor
    hands_mask: Tensor
    face_mask: Tensor
    heatmaps: dict[tuple[int, int], Tensor]
    pose_heatmaps: Tensor
    timestep: Tensor
    chance: Tensor
    reference_rows: tuple[bool, ...]

    def to(self, device: torch.device) -> "Batch":
        """Move all tensors."""
        moved: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                moved[item.name] = value.to(device)
            elif isinstance(value, dict):
                moved[item.name] = {key: tensor.to(device) for key, tensor in value.items()}
        return replace(self, **moved)


class BatchMaker(Dataset[Batch]):
    """Map a step number to its batch.

    frames = 1 makes stage 1's pairs (a reference and one other frame); then there are no motion frames.
    """

    def __init__(
        self,
        videos: PreparedVideos,
        spec: SystemSpec,
        config: SamplingConfig,
        *,
        frames: int,
        seed: int,
        rank: int = 0,
    ) -> None:
        self.videos, self.spec, self.config, self.frames = videos, spec, config, frames
        self.motion_frames = spec.long_video.motion_frames if frames > 1 else 0
        self.seed, self.rank = seed, rank
        _require_length(videos[0], frames + self.motion_frames)

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, step, self.rank))
        motion_frames = 0 if rng.random() < self.config.drop_motion else self.motion_frames
        maps = choose_maps(self.spec, self.config.maps, rng)
        clips = [
            self._clip(
                self.videos[int(rng.integers(len(self.videos)))], rng, maps=maps, motion_frames=motion_frames
            )
            for _ in range(self.config.clips)
        ]
        return self._collate(clips, rng)

    def _clip(
        self, video: PreparedVideo, rng: np.random.Generator, *, maps: DrawnMaps, motion_frames: int
    ) -> dict[str, Any]:
        _require_length(video, self.frames + motion_frames)
        choice = int(rng.integers(len(video.reference_R)))
        start = int(rng.integers(motion_frames, len(video) - self.frames + 1))
        span = slice(start, start + self.frames)
        latents = torch.from_numpy(video.latents_FCHW.astype(np.float32))
        reference_frame = int(video.reference_R[choice])
        height, width = latents.shape[-2:]
        pose = video.pose[span]
        audio = windows(torch.from_numpy(video.audio_FD.astype(np.float32)), size=self._window())[span]
        return {
            "latents": latents[span],
            "motion": self._noised(latents[start - motion_frames : start], rng),
            "reference": latents[reference_frame],
            "skeleton": draw_skeleton(video.pose[reference_frame : reference_frame + 1])[0],
            "hand_crops": torch.from_numpy(video.hand_crops_RHCYX[choice]).float() / 255,
            "face": torch.from_numpy(video.face_vectors_RD[choice]),
            "audio": audio,
            "maps": maps(video, span, rng),
            "clarity": torch.from_numpy(video.clarity_F4[span]),
            "confidence": torch.from_numpy(video.hand_confidence_FH[span]),
            "hands_mask": hand_masks(pose, height=height, width=width)[:, None],
            "face_mask": face_masks(pose, height=height, width=width)[:, None],
            "pose_heatmaps": pose_heatmaps(pose, height=height, width=width),
            "heatmaps": {
                size: hand_heatmaps(pose, height=size[0], width=size[1])
                for size in self._sizes(height, width)
            },
        }

    def _collate(self, clips: Sequence[dict[str, Any]], rng: np.random.Generator) -> Batch:
        count = len(clips)
        drop_reference = rng.random(count) < self.config.drop_reference
        drop_audio = drop_reference | (rng.random(count) < self.config.drop_audio)
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
        latents = torch.stack([clip["latents"] for clip in clips])
        audio = torch.stack([clip["audio"] for clip in clips])
        audio[torch.from_numpy(drop_audio)] = 0
        stacked = ("motion", "reference", "skeleton", "hand_crops", "face", "maps", "clarity", "confidence")
        return Batch(
            latents=latents,
            noise=torch.randn(latents.shape, generator=generator),
            audio=audio,
            **{name: torch.stack([clip[name] for clip in clips]) for name in stacked},
            hands_mask=torch.cat([clip["hands_mask"] for clip in clips]),
            face_mask=torch.cat([clip["face_mask"] for clip in clips]),
            pose_heatmaps=torch.cat([clip["pose_heatmaps"] for clip in clips]),
            heatmaps={
                size: torch.cat([clip["heatmaps"][size] for clip in clips]) for size in clips[0]["heatmaps"]
            },
            timestep=self._timesteps(count, generator),
            chance=torch.rand(count, generator=generator),
            reference_rows=tuple(bool(kept) for kept in ~drop_reference),
        )

    def _timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(count, generator=generator) ** self.config.timestep_power
        return (drawn * TRAIN_STEPS).long().clamp(max=TRAIN_STEPS - 1)

    def _noised(self, motion: Tensor, rng: np.random.Generator) -> Tensor:
        sigma = rng.uniform(0, self.config.motion_noise)
        noise = torch.from_numpy(rng.standard_normal(motion.shape, dtype=np.float32))
        return motion + sigma * noise

    def _window(self) -> int:
        return self.spec.audio.window if self.spec.audio else 1

    def _sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Feature sizes of the U-Net's stages."""
        sizes = [(height, width)]
        for _ in self.spec.unet.channels[1:]:
            height, width = (height + 1) // 2, (width + 1) // 2
            sizes.append((height, width))
        return sizes


def _require_length(video: PreparedVideo, frames: int) -> None:
    if len(video) < frames:
        raise StoreError(
            f"A prepared video has {len(video)} frames and a clip with its motion frames needs {frames}; "
            "prepare longer videos."
        )
