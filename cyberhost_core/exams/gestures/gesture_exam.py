"""The exam of EMO2's stage 1: held-out voices, several takes each, several seeds, every measure, targets.

held-out voices --speech encoder--> model, seed by seed --> motions --+
                --puppets, several performances each----> true ones --+--> gesture_rows
                --librosa------------------------------------> onsets --+
the same voices, five amplitudes asked for -----------------------------> amplitude_row
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from ...checkpoints.gestures import load_gestures
from ...config import Config
from ...controls.audio_windows import interpolate_to_fps
from ...gesture.model import GestureModel
from ...gesture.sampling import generate_motion
from ...hands.parameters import HandParameters
from ...metrics.gesture_beats import audio_beats
from ...metrics.gesture_features import GestureFeatures
from ...metrics.hand_joints import amplitude, known_vectors, mean_where_known, picture_joints
from ...perception.speech import SpeechFeatures
from ...puppets.gesture import HAND_LENGTH_FRAC
from ...puppets.gesture_clips import puppet_hands, resting_offset
from ...puppets.identity import Identity, random_identity
from ...puppets.performance import random_performance
from ...puppets.speech import Utterance, bundled_utterances
from ...puppets.split import HELD_OUT_IDENTITIES
from ...puppets.world import FPS, HEIGHT, WIDTH
from ...reports.machine import describe_machine
from ...units import SPEECH_RATE_HZ
from .feature_training import FEATURES_LOOP, train_gesture_features
from .gesture_numbers import GestureTruth, Motion, Takes
from .gesture_report import GestureReport, GestureSection, SeedRow, amplitude_row, gesture_rows, with_compared

FEATURE_TAKES = 12  # performances per bundled training voice that the features of FGD learn from
TRUE_PERFORMANCES = 5_000_000  # the first one; training's are far below
Say = Callable[[str, int, int], None]  # (stage, done, total)


class GestureExam(Config):
    """What is asked.

    voices: sounds, each of two held-out voices one after the other, so that motion must be continued; takes:
    motions per sound and seed; amplitudes: settings for both hands, see wrist_amplitude
    """

    voices: int = 6
    takes: int = 12
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int | None = None
    amplitudes: tuple[float, ...] = (0.03, 0.05, 0.07, 0.09, 0.11)
    feature_steps: int = FEATURES_LOOP.steps


@dataclass(frozen=True, eq=False)
class _Voice:
    """One sound, what a model hears of it, and the puppet that speaks."""

    utterance: Utterance
    audio_FD: Tensor
    identity: Identity

    @property
    def sizes_frac(self) -> tuple[float, float]:
        size = HAND_LENGTH_FRAC * self.identity.hand_size
        return (size, size)


def examine_gestures(
    path: Path, *, exam: GestureExam, speech: SpeechFeatures, compare: Path | None = None, say: Say
) -> GestureReport:
    """Examine a model, and another one beside it.

    Raises:   CheckpointError: a file cannot be used; MissingExtraError: librosa, soundfile or
              accelerate is not installed; AudioError: the model was trained with another speech encoder
    """
    models = [load_gestures(one) for one in (path, compare) if one is not None]
    voices = held_out_voices(speech, count=exam.voices)
    features = puppet_features(steps=exam.feature_steps, say=say)
    truth = true_motion(voices, takes=exam.takes, features=features)
    rows = [_rows(model, voices, truth=truth, exam=exam, say=say) for model in models]
    section = GestureSection(title="Stage 1: hands from sound", rows=rows[0])
    if compare is not None:
        name = f"{models[1].config.form} ({compare.name})"
        section = GestureSection(title=section.title, rows=with_compared(*rows), compared=name)
    return GestureReport(
        title=f"Gestures of {path}",
        machine=describe_machine(),
        settings={**exam.model_dump(), "frames": [len(voice.audio_FD) for voice in voices]},
        sections=[section],
    )


def held_out_voices(speech: SpeechFeatures, *, count: int) -> list[_Voice]:
    """Put pairs of the bundled held-out voices together, and listen to them."""
    known = bundled_utterances("held_out")
    voices = []
    for number in range(count):
        utterance = _joined(known[2 * number % len(known)], known[(2 * number + 1) % len(known)])
        frames = len(utterance.wave_T) * FPS // SPEECH_RATE_HZ
        heard = interpolate_to_fps(speech.extract(utterance.wave_T), frames=frames, fps=FPS)
        identity = random_identity(HELD_OUT_IDENTITIES[number % len(HELD_OUT_IDENTITIES)])
        voices.append(_Voice(utterance, heard, identity))
    return voices


def puppet_features(*, steps: int, say: Say) -> GestureFeatures:
    """Train the feature network of FGD on puppets that speak the bundled training voices."""
    motions = [
        puppet_hands(
            utterance,
            performance=random_performance(FEATURE_TAKES * number + take),
            identity=random_identity(take),
        ).vectors_FD
        for number, utterance in enumerate(bundled_utterances("train"))
        for take in range(FEATURE_TAKES)
    ]
    return train_gesture_features(
        motions,
        loop=FEATURES_LOOP.derive(steps=steps),
        show=lambda done, _losses: say("features", done, steps),
    )


def true_motion(voices: Sequence[_Voice], *, takes: int, features: GestureFeatures | None) -> GestureTruth:
    """Let each puppet perform its sound several times."""
    return GestureTruth(
        takes=[
            [
                _motion(
                    puppet_hands(
                        voice.utterance,
                        performance=random_performance(TRUE_PERFORMANCES + number * takes + take),
                        identity=voice.identity,
                        frames=len(voice.audio_FD),
                    )
                )
                for take in range(takes)
            ]
            for number, voice in enumerate(voices)
        ],
        onsets=[audio_beats(voice.utterance.wave_T, rate_hz=SPEECH_RATE_HZ) for voice in voices],
        fps=float(FPS),
        features=features,
    )


def _rows(
    model: GestureModel, voices: Sequence[_Voice], *, truth: GestureTruth, exam: GestureExam, say: Say
) -> list[SeedRow]:
    total = len(exam.seeds) * len(voices) * (exam.takes + len(exam.amplitudes))
    count = _counter(lambda done: say(f"generate {model.config.form}", done, total))
    generated: dict[int, Takes] = {}
    measured_SL = np.zeros((len(exam.seeds), len(exam.amplitudes)))

    def moved(voice: _Voice, *, seed: int, setting: float | None = None) -> Motion:
        motion = _generated(model, voice, seed=seed, steps=exam.steps, setting=setting)
        next(count)
        return motion

    for row, seed in enumerate(exam.seeds):
        first = 1000 * seed
        generated[seed] = [
            [moved(voice, seed=first + take) for take in range(exam.takes)] for voice in voices
        ]
        for column, setting in enumerate(exam.amplitudes):
            wrists = [amplitude(moved(voice, seed=first, setting=setting).joints_FHKC) for voice in voices]
            measured_SL[row, column] = mean_where_known(np.array(wrists), axes=(0, 1))
    return [*gesture_rows(generated, truth=truth), amplitude_row(np.array(exam.amplitudes), measured_SL)]


def _generated(
    model: GestureModel, voice: _Voice, *, seed: int, steps: int | None, setting: float | None
) -> Motion:
    parameters = generate_motion(
        model,
        audio_FD=voice.audio_FD,
        frames=len(voice.audio_FD),
        seed=seed,
        amplitudes=(setting, setting),
        offset_FD=resting_offset(voice.identity),
        sizes_frac=voice.sizes_frac,
        steps=steps,
    )
    return _motion(parameters)


def _motion(parameters: HandParameters) -> Motion:
    return Motion(known_vectors(parameters), picture_joints(parameters, height=HEIGHT, width=WIDTH))


def _joined(first: Utterance, second: Utterance) -> Utterance:
    wave_T = np.concatenate([first.wave_T, second.wave_T])
    return Utterance(
        f"{first.name} {second.name}", f"{first.voice} {second.voice}", f"{first.text} {second.text}", wave_T
    )


def _counter(tell: Callable[[int], None]) -> Iterator[None]:
    done = 0
    while True:
        done += 1
        tell(done)
        yield
