"""From latents to a file, a chunk at a time.

latents --16 frames--> native VAE --> uint8 --> VideoWriter --> mp4, whole or not at all
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cyberhost_core.backbone.vae import DECODE_CHUNK
from ...cyberhost_core.errors import MediaError
from ...cyberhost_core.media.audio import Sound
from ...cyberhost_core.media.video import VideoWriter
from ..bridge.progress import progress, stop_if_cancelled
from .audio import sound_from_audio


def usable_latents(latent: Mapping[str, Any]) -> Tensor:
    """Take the frames (F, C, h, w) out of a LATENT.

    Raises:   MediaError: not one latent per frame, none at all, or values that are not numbers
    """
    samples = latent["samples"]
    if samples.ndim != 4 or not len(samples):
        raise MediaError(
            f"The latent has the shape {list(samples.shape)}, but one latent per frame (frames, channels, "
            "height, width) was expected; connect RAM U-Net Sampler, or another sampler on its empty latent."
        )
    for frame, one_CHW in enumerate(samples):
        if not torch.isfinite(one_CHW).all():
            raise MediaError(
                f"The latents hold values that are not numbers from frame {frame} on: the sampler gave "
                "them, not the decoder; try another sampler or scheduler, or start ComfyUI with --fp32-unet."
            )
    return samples


def decode_to_file(
    path: Path, latents_FCHW: Tensor, *, vae: Any, fps: float, audio: Mapping[str, Any] | None
) -> None:
    """Decode every frame into an mp4; no more than one chunk of pictures is held.

    Raises:   MediaError: the file cannot be written, the VAE is of another kind; AudioError: unusable sound
    """
    sound = None if audio is None else _as_long_as(len(latents_FCHW), sound_from_audio(audio), fps=fps)
    pieces = _pictures(latents_FCHW, vae)
    first = next(pieces)
    _, height, width, _ = first.shape
    with VideoWriter(path, fps=fps, height=height, width=width, sound=sound) as writer:
        for frames_FYXC in chain([first], pieces):
            writer.write(frames_FYXC)


def _pictures(latents_FCHW: Tensor, vae: Any) -> Iterator[np.ndarray]:
    shown = progress(len(latents_FCHW))
    for chunk in latents_FCHW.split(DECODE_CHUNK):
        stop_if_cancelled()
        pictures = vae.decode(chunk)
        if pictures.ndim != 4 or len(pictures) != len(chunk) or not torch.isfinite(pictures).all():
            raise MediaError(_fault(pictures, frames=len(chunk)))
        yield (pictures[..., :3].float() * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        shown.update(len(chunk))


def _fault(pictures: Tensor, *, frames: int) -> str:
    if pictures.ndim == 4 and len(pictures) == frames:
        return (
            "The decoded pictures hold values that are not numbers, though the latents do not: the VAE made "
            "them; start ComfyUI with --fp32-vae, or connect the vae output of the same Load CyberHost node."
        )
    return (
        f"The VAE gave {list(pictures.shape)} for {frames} latents, but one picture per latent was expected; "
        "connect the vae output of the same Load CyberHost node."
    )


def _as_long_as(frames: int, sound: Sound, *, fps: float) -> Sound:
    """Cut off what would sound after the last frame; a sound that the frames cover stays as it is."""
    samples = math.ceil(frames * sound.rate_hz / Fraction(fps).limit_denominator(1001))  # as the writer
    return replace(sound, wave_CT=sound.wave_CT[:, :samples])
