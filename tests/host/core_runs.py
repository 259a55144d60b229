"""What the core alone makes of the same picture, voice and track as the prompts of the host tests."""

from functools import cache
from pathlib import Path

import torch
from cyberhost_core.diffusion.guidance import Guidance
from cyberhost_core.systems.long_video import sample_video
from cyberhost_core.systems.sampling import SamplingOptions
from cyberhost_core.systems.track import Track, audio_windows
from diffusers import AutoencoderKL
from torch import Tensor

from cyberhost_core import bundled
from cyberhost_core.checkpoints.file import Checkpoint, load_checkpoint, open_checkpoint
from cyberhost_core.controls.face_masks import face_box_map, face_masks, mask_levels
from cyberhost_core.controls.hand_drawing import draw_peer_hands_on
from cyberhost_core.hands.track import load_hand_track
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.images import read_image
from cyberhost_core.perception.face_identity import FaceIdentity
from cyberhost_core.perception.hearing import hear, load_hearing
from cyberhost_core.perception.pose import PoseDetector
from cyberhost_core.pipeline.generate import GenerateOptions, Talker, sampling_options
from cyberhost_core.systems.encoders import Reference

from .public_prompts import SEED, STEPS

VOICE = bundled.FOLDER / "speech" / "train_08.ogg"
PICTURE = bundled.FOLDER / "portraits" / "puppet_0.png"


def talking(path: Path, options: GenerateOptions) -> Tensor:
    """Latents of half a second by the core's own pipeline, see prompts.segment."""
    talker = Talker(load_checkpoint(path), pose_detector_path=bundled.POSE_NETWORK)
    reference, pose = talker.reference(read_image(PICTURE))
    track = talker.track(_cut(seconds=0.48), pose, options)
    chosen = sampling_options(talker.checkpoint, options)
    pieces = sample_video(
        talker.checkpoint.model, reference, track, chosen, on_step=lambda _done, _steps: None
    )
    return torch.cat(list(pieces))


@cache
def echomimic_v2(path: Path) -> Tensor:
    """Latents of 15 frames, in the scale of a LATENT."""
    checkpoint = load_checkpoint(path)
    pose = load_hand_track(bundled.FOLDER / "hand-tracks" / "puppet_gesture.json").pose
    maps_FCYX = draw_peer_hands_on(torch.zeros(1, 3, pose.height, pose.width), pose)
    audio_FWD = _heard(checkpoint, seconds=0.6, fps=24.0)
    track = Track(audio_FWD=audio_FWD, maps_FCYX=maps_FCYX[: len(audio_FWD)], clarity_4=torch.zeros(4))
    return _sampled(checkpoint, _reference(path, checkpoint), track, scale=2.5)


@cache
def hallo(path: Path) -> Tensor:
    """Latents of 20 frames, in the scale of a LATENT."""
    checkpoint = load_checkpoint(path)
    picture_YXC = read_image(PICTURE)
    pose = PoseDetector(bundled.POSE_NETWORK).detect(picture_YXC, padding=1.0)
    face = FaceIdentity(bundled.FACE_NETWORK)
    vector_D = torch.from_numpy(face.raw_frames(picture_YXC[None], pose.face_FKC)[0])
    sizes = [(16, 12), (8, 6), (4, 3), (2, 2)]  # tokens of 128 x 96 px
    track = Track(
        audio_FWD=_heard(checkpoint, seconds=0.8, fps=25.0),
        maps_FCYX=face_box_map(pose),
        clarity_4=torch.zeros(4),
        masks=dict(enumerate(mask_levels(face_masks(pose), sizes))),
    )
    reference = _reference(path, checkpoint, image_vector_BD=vector_D[None])
    return _sampled(checkpoint, reference, track, scale=3.5)


def _reference(path: Path, checkpoint: Checkpoint, **seen: Tensor) -> Reference:
    pixels = torch.from_numpy(read_image(PICTURE).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        latents = _autoencoder(path).encode(pixels).latent_dist.mode()
        return checkpoint.model.encode_reference(latents_BCHW=latents * checkpoint.spec.latent_scale, **seen)


def _autoencoder(checkpoint_path: Path) -> AutoencoderKL:
    stored = open_checkpoint(checkpoint_path).autoencoder
    assert stored is not None
    state, config = stored
    model = AutoencoderKL.from_config(config)
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model.eval()


def _cut(*, seconds: float) -> Sound:
    """The voice from its first second on."""
    sound = read_sound(VOICE)
    first = sound.rate_hz
    return Sound(
        wave_CT=sound.wave_CT[:, first : first + round(seconds * sound.rate_hz)],
        rate_hz=sound.rate_hz,
        name="cut",
    )


def _heard(checkpoint: Checkpoint, *, seconds: float, fps: float) -> Tensor:
    cut = _cut(seconds=seconds)
    audio = checkpoint.spec.audio
    assert audio is not None and checkpoint.audio_encoder is not None
    ears = load_hearing(audio.hearing, *checkpoint.audio_encoder)
    features_FD = hear(ears, cut.speech_T(), frames=cut.frames(fps), fps=fps)
    return audio_windows(checkpoint.spec, features_FD, hearing=audio.hearing)


def _sampled(checkpoint: Checkpoint, reference: Reference, track: Track, *, scale: float) -> Tensor:
    options = SamplingOptions(
        schedule=checkpoint.spec.schedule.derive(steps=STEPS),
        guidance=Guidance(reference_scale=scale, audio_scale=scale),
        seed=SEED,
    )
    pieces = sample_video(checkpoint.model, reference, track, options, on_step=lambda _done, _steps: None)
    return torch.cat(list(pieces)) / checkpoint.spec.latent_scale
