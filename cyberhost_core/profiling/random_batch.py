"""A training batch of random content, as large as a stage's batches get: for measurements.

spec -> a store with a prepared video of noise -> the batch maker that trainers use -> Batch
"""

from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torch import Tensor

from ..conditioners.sound import Sound
from ..conditioners.values import REFERENCE, SOUND
from ..data.store import Bucket, PreparedVideo, PreparedVideos, StoreIndex, write_index, write_video
from ..hands.parameters import HandParameters
from ..systems.spec import SystemSpec
from ..training.batch import Batch
from ..training.batches import BatchMaker
from ..training.stage import StageConfig
from ..types import PACKED_POINTS, Pose
from .fake_tensors import fakes_of

_FACE_NUMBERS, _HAND_PIXELS = 512, 128


def largest_batch(spec: SystemSpec, stage: StageConfig) -> Batch:
    """Make a batch with motion frames; of several clips one goes without its reference and its sound.

    Rows without a reference attend apart from the others, which takes more than if all had one.
    """
    sampling = stage.sampling.derive(drop=(), drop_past=0.0)
    with TemporaryDirectory() as folder:
        videos = _store_of_one(spec, Path(folder), frames=stage.frames + spec.past_frames)
        batch = BatchMaker(videos, spec, sampling, frames=stage.frames, seed=0, losses=stage.losses)[0]
    if len(batch) == 1:
        return batch
    return replace(batch, missing=(frozenset({REFERENCE, SOUND}), *batch.missing[1:]))


def fake_batch(batch: Batch) -> Batch:
    """Make fakes of all tensors of a batch, inside `fake_tensors`."""
    found = {item.name: getattr(batch, item.name) for item in fields(batch)}
    inputs = {name: fakes_of(value) for name, value in found.items() if isinstance(value, dict)}
    tensors = fakes_of({name: value for name, value in found.items() if isinstance(value, Tensor)})
    return replace(batch, **inputs, **tensors)


def _store_of_one(spec: SystemSpec, folder: Path, *, frames: int) -> PreparedVideos:
    bucket = Bucket(height=spec.height, width=spec.width, ids=("noise",))
    write_video(folder, "noise", _video(spec, frames=frames))
    write_index(folder, StoreIndex(fps=spec.fps, buckets=(bucket,)))
    return PreparedVideos(folder)


def _video(spec: SystemSpec, *, frames: int) -> PreparedVideo:
    rng = np.random.default_rng(0)
    (audio_numbers,) = [sound.feature_dim for sound in spec.listed(Sound)] or [1]
    points_FKC = rng.uniform(0.1, 0.9, (frames, PACKED_POINTS, 3)) * (spec.width, spec.height, 1)
    places_FH3 = rng.uniform(0.3, 0.7, (frames, 2, 3)) * (1, 1, 0)
    latents = (spec.unet.latent_channels, spec.height // 8, spec.width // 8)
    return PreparedVideo(
        latents_FCHW=rng.standard_normal((frames, *latents)).astype(np.float16),
        pose=Pose.from_packed(points_FKC.astype(np.float32), height=spec.height, width=spec.width),
        hands=HandParameters.from_axis_angles(
            np.zeros((frames, 2, 16, 3)), places_FH3, fps=spec.fps, source="random"
        ),
        hand_confidence_FH=np.ones((frames, 2), dtype=np.float32),
        audio_FD=rng.standard_normal((frames, audio_numbers)).astype(np.float16),
        clarity_F4=np.ones((frames, 4), dtype=np.float32),
        reference_R=np.array([0]),
        hand_crops_RHCYX=np.zeros((1, 2, 3, _HAND_PIXELS, _HAND_PIXELS), dtype=np.uint8),
        face_vectors_RD=rng.standard_normal((1, _FACE_NUMBERS)).astype(np.float32),
        picture_db=40.0,
    )
