"""What the core alone makes of the same picture, voice and track as the prompts of the host tests.

talking, two stages                     prompts.segment, test_emo2: half a second of a bundled model
echomimic_v2, hallo, animate_anyone     public_prompts: the track as it is in its file, nothing fitted
multimodal, reenactment                 the workflows of these names, with their bundled files

All give latents in the scale of a LATENT: the autoencoder's own, before any scale.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from cyberhost_core import bundled
from cyberhost_core.conditioners.asks import MAP
from cyberhost_core.controls.hand_drawing import draw_peer_hands
from cyberhost_core.controls.skeleton_map import draw_skeleton
from cyberhost_core.hands.track import load_hand_track
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.images import read_image
from cyberhost_core.pipeline.options import Driving, GenerateOptions, Networks
from cyberhost_core.pipeline.talker import Talker
from cyberhost_core.sampling.track import Track, make_track

from .public_prompts import SEED, STEPS

VOICE = bundled.FOLDER / "speech" / "train_08.ogg"
GESTURE_VOICE = bundled.FOLDER / "speech" / "held_out_03.ogg"
GESTURE = bundled.FOLDER / "hand-tracks" / "puppet_gesture.json"
CLIP = bundled.FOLDER / "clips" / "puppet_gesture.mp4"
PICTURE = bundled.FOLDER / "portraits" / "puppet_0.png"
FRAMES = 8  # of the prompt for AnimateAnyone
_BUNDLED = Networks(pose_detector=bundled.POSE_NETWORK, face_network=bundled.FACE_NETWORK)
_PUBLIC = GenerateOptions(seed=SEED, steps=STEPS, size=(128, 96))  # height, width of a bundled portrait


def talking(path: Path, options: GenerateOptions) -> Tensor:
    """Latents of half a second of a bundled model, see prompts.segment."""
    return _driven(Talker.load(path, networks=_BUNDLED), _cut(seconds=0.48), options)


def multimodal(options: GenerateOptions) -> Tensor:
    """Latents of workflows/multimodal.json: 4.5 s, hands drawn on the movement map."""
    driving = Driving(movement=(0.2, 0.1), track=GESTURE)
    talker = Talker.load(bundled.CHECKPOINT, networks=_BUNDLED)
    return _driven(talker, read_sound(GESTURE_VOICE), replace(options, driving=driving))


def reenactment(options: GenerateOptions) -> Tensor:
    """Latents of workflows/reenactment.json: the bundled clip's motion and sound, at its rate of 25."""
    talker = Talker.load(bundled.CHECKPOINT, networks=_BUNDLED)
    return _driven(talker, read_sound(CLIP), replace(options, driving=Driving(video=CLIP)))


@cache
def echomimic_v2(path: Path) -> Tensor:
    """Latents of 15 frames, see public_prompts.echomimic_v2."""
    talker = Talker.load(path, networks=_BUNDLED)
    heard = talker.heard(_cut(seconds=0.6), fps=24.0)
    hands = draw_peer_hands(load_hand_track(GESTURE).pose)
    return _sampled(talker, make_track(talker.spec, {**heard, MAP: hands}, height=128, width=96), _PUBLIC)


@cache
def hallo(path: Path) -> Tensor:
    """Latents of 20 frames, see public_prompts.hallo."""
    return _driven(Talker.load(path, networks=_BUNDLED), _cut(seconds=0.8), _PUBLIC)


@cache
def animate_anyone(path: Path, *, vae: Path, clip_vision: Path) -> Tensor:
    """Latents of 8 frames, see public_prompts.animate_anyone; vae, clip_vision: as in Networks."""
    networks = replace(_BUNDLED, vae=vae, clip_vision=clip_vision)
    talker = Talker.load(path, networks=networks)
    maps = draw_skeleton(load_hand_track(GESTURE).pose[:FRAMES])
    return _sampled(talker, make_track(talker.spec, {MAP: maps}, height=128, width=96), _PUBLIC)


def _driven(talker: Talker, sound: Sound, options: GenerateOptions) -> Tensor:
    """Let the pipeline draw what drives."""
    portrait = talker.portrait(read_image(PICTURE), options)
    return _sampled(talker, talker.track(sound, portrait, options), options)


def _sampled(talker: Talker, track: Track, options: GenerateOptions) -> Tensor:
    portrait = talker.portrait(read_image(PICTURE), options)
    pieces = talker.latents(talker.reference(portrait), track, options, on_step=lambda _done, _steps: None)
    return torch.cat(list(pieces)) / talker.spec.latent_scale


def _cut(*, seconds: float) -> Sound:
    """The voice from its first second on."""
    sound = read_sound(VOICE)
    first = sound.rate_hz
    return Sound(
        wave_CT=sound.wave_CT[:, first : first + round(seconds * sound.rate_hz)],
        rate_hz=sound.rate_hz,
        name="cut",
    )
