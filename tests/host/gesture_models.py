"""A gesture model that has learnt nothing, small and restless: what nodes do with it needs no skill."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cyberhost_core.checkpoints.gestures import save_gestures
from cyberhost_core.gesture.forms import FORMS, FormName
from cyberhost_core.gesture.model import GestureModel, GestureModelConfig, wrist_amplitude
from cyberhost_core.gesture.transformer import GestureConfig
from cyberhost_core.hands.fit import with_parameters
from cyberhost_core.hands.limbs import limbs_of
from cyberhost_core.hands.track import HandTrack, hand_tracks, load_hand_track

TINY_AUDIO = 384  # numbers per frame of the bundled speech encoder
FRAMES = 48  # of a sequence: longer voices go on from the one before


def fitted_example(frames: int = 40) -> HandTrack:
    """The beginning of the bundled track, with hand parameters."""
    (path,) = hand_tracks()
    return with_parameters(load_hand_track(path)[:frames])


def write_gesture_model(
    path: Path, *, audio_dim: int = TINY_AUDIO, image_dim: int = 768, form: FormName = "hands"
) -> Path:
    """Write a model whose motion strays around that of the bundled track."""
    torch.manual_seed(0)
    config = GestureModelConfig(
        form=form,
        transformer=GestureConfig(
            vector=FORMS[form].numbers,
            width=32,
            blocks=1,
            heads=2,
            frames=FRAMES,
            audio_dim=audio_dim,
            image_dim=image_dim,
            offset_dim=8,
        ),
    )
    model = GestureModel(config)
    for layer in (model.transformer.motion_out, model.transformer.amplitude, model.transformer.offset_in):
        torch.nn.init.normal_(layer.weight, std=0.1)
    if model.transformer.image_in is not None:
        torch.nn.init.normal_(model.transformer.image_in.weight, std=0.1)
    example = fitted_example()
    assert example.parameters is not None
    motion = replace(example.parameters, limbs_FKC=limbs_of(example.pose))
    vectors_FD = np.nan_to_num(model.form.write(motion))
    model.set_statistics(
        mean_D=vectors_FD.mean(axis=0),
        deviation_D=vectors_FD.std(axis=0),
        amplitudes_NH=np.array([wrist_amplitude(motion)]),
    )
    save_gestures(path, model, training={})
    return path
