"""What the speech twin hears and has to say: disturbed voices in, properties of the clean voice out.

    synthesize(seed) -> cache -> crop, speed -> clean wave -> log-mel, voicing  ┐
                             └-> mouth_shape, same speed  -> opening, width    ┴-> targets at 50 Hz
                                  clean wave -> room, equaliser, clipping, noise -> unit variance -> input

Synthetic voices are clean and alike; the disturbances stand for microphones, rooms and throats never heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...puppets.mouth import mouth_shape
from ...puppets.speech import synthesize
from ...puppets.split import Split
from ...units import SPEECH_RATE_HZ

STEP_SAMPLES, WINDOW_SAMPLES = 320, 400  # one step of wav2vec2: 20 ms, seen through 25 ms
STEPS_PER_SEC = SPEECH_RATE_HZ / STEP_SAMPLES
MELS = 32
TARGETS = MELS + 3  # log-mel, voicing, mouth opening, mouth width


@dataclass(frozen=True)
class Voice:
    """Hold one utterance and the mouth that belongs to it, at 50 Hz.

    Shapes:   wave_T (T,) mono 16 kHz; mouth_S2 (S, 2) opening and width
    """

    wave_T: np.ndarray
    mouth_S2: np.ndarray

    @staticmethod
    def of(wave_T: np.ndarray) -> "Voice":
        """Follow a sound with a mouth."""
        mouth = mouth_shape(wave_T, fps=STEPS_PER_SEC, frames=int(np.ceil(len(wave_T) / STEP_SAMPLES)))
        return Voice(wave_T, np.stack([mouth.opening_F, mouth.width_F], axis=1))


def cached_voices(folder: Path, *, count: int, split: Split) -> list[Voice]:
    """Speak utterances 0 .. count - 1 of one side of the split; a folder keeps them for the next time."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{split}-{seed:05d}.npy" for seed in range(count)]
    return [Voice.of(_cached_wave(path, seed=seed, split=split)) for seed, path in enumerate(paths)]


def draw_sounds(
    voices: Sequence[Voice], *, rng: np.random.Generator, count: int, secs: float
) -> tuple[Tensor, Tensor]:
    """Draw disturbed crops and what a listener should make of them.

    One crop in thirty is noise alone: a listener must not hear speech in it.

    Shapes:   waves (count, T) zero mean and unit variance; targets (count, S, TARGETS), S steps of 20 ms
    """
    samples = int(secs * SPEECH_RATE_HZ)
    pairs = [_crop(voices[int(rng.integers(len(voices)))], rng=rng, samples=samples) for _ in range(count)]
    clean_BT = torch.from_numpy(np.stack([wave for wave, _ in pairs]))
    mouth_BS2 = torch.from_numpy(np.stack([mouth for _, mouth in pairs]))
    targets = torch.cat([spectral_targets(normalised(clean_BT)), mouth_BS2], dim=-1)
    return normalised(_disturbed(clean_BT, rng=rng)), targets.float()


def steps_of(samples: int) -> int:
    """Count the steps that wav2vec2 makes of so many samples."""
    return (samples - WINDOW_SAMPLES) // STEP_SAMPLES + 1


def normalised(wave_BT: Tensor) -> Tensor:
    """Bring each wave to zero mean and unit variance, as the wav2vec2 feature extractor does."""
    centred = wave_BT - wave_BT.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-7).sqrt()


def spectral_targets(wave_BT: Tensor) -> Tensor:
    """Describe each step of a sound by its log-mel spectrum and by how strongly it is voiced.

    Voicing is the highest autocorrelation between 70 and 400 Hz, the range of human pitch, times loudness.

    Shapes:   wave_BT (B, T) unit variance; result (B, S, MELS + 1)
    Units:    about -1..1
    """
    pieces_BSW = wave_BT.unfold(-1, WINDOW_SAMPLES, STEP_SAMPLES) * torch.hann_window(WINDOW_SAMPLES)
    power = torch.fft.rfft(pieces_BSW, n=2 * WINDOW_SAMPLES).abs().square()
    mel = torch.log10(power @ mel_filters() / WINDOW_SAMPLES + 1e-3)
    correlation = torch.fft.irfft(power)
    lags = correlation[..., SPEECH_RATE_HZ // 400 : SPEECH_RATE_HZ // 70]
    energy = correlation[..., 0]
    voicing = lags.amax(-1) / (energy + 1.0) * (energy / WINDOW_SAMPLES).sqrt().clamp(max=1.0)
    return torch.cat([mel / 2.0, voicing[..., None]], dim=-1)


def mel_filters(*, bins: int = WINDOW_SAMPLES + 1) -> Tensor:
    """Build triangles of equal width on the mel scale, 60 to 7600 Hz, (bins, MELS)."""
    low, high = (2595.0 * np.log10(1 + hz / 700.0) for hz in (60.0, 7600.0))
    edges_hz = 700.0 * (10 ** (np.linspace(low, high, MELS + 2) / 2595.0) - 1)
    hz = np.linspace(0, SPEECH_RATE_HZ / 2, bins)[:, None]
    rising = (hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - hz) / (edges_hz[2:] - edges_hz[1:-1])
    return torch.from_numpy(np.maximum(0, np.minimum(rising, falling)).astype(np.float32))


def _cached_wave(path: Path, *, seed: int, split: Split) -> np.ndarray:
    if not path.exists():
        np.save(path, (synthesize(seed, split=split).wave_T * 32767).astype(np.int16))
    return np.load(path).astype(np.float32) / 32767


def _crop(voice: Voice, *, rng: np.random.Generator, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut out a stretch, spoken up to a quarter slower or faster, which also shifts pitch and formants."""
    speed = np.exp(rng.uniform(-0.22, 0.22))
    first = rng.uniform(0, max(0.0, len(voice.wave_T) - samples * speed))
    at = first + speed * np.arange(samples)
    wave = np.interp(at, np.arange(len(voice.wave_T)), voice.wave_T, left=0.0, right=0.0)
    centres = (
        first + speed * (STEP_SAMPLES * np.arange(steps_of(samples)) + WINDOW_SAMPLES / 2)
    ) / STEP_SAMPLES - 0.5
    ends = ((0.0, 0.0), (0.5, 0.5))  # before and after the sound the mouth is shut, at its width at rest
    tracks = [
        np.interp(centres, np.arange(len(track)), track, left=left, right=right)
        for track, (left, right) in zip(voice.mouth_S2.T, ends, strict=True)
    ]
    if rng.random() < 1 / 30:
        return np.zeros(samples, np.float32), np.tile(np.array([0.0, 0.5], np.float32), (len(centres), 1))
    return wave.astype(np.float32), np.stack(tracks, axis=1).astype(np.float32)


def _disturbed(clean_BT: Tensor, *, rng: np.random.Generator) -> Tensor:
    """Put each voice into a room, before a microphone, through a wire and into noise."""
    count, samples = clean_BT.shape
    size = samples + SPEECH_RATE_HZ // 2  # room for the echo's tail, which is cut off
    spectrum = torch.fft.rfft(clean_BT, n=size)
    response = _equaliser(count, bins=spectrum.shape[-1], rng=rng) * torch.fft.rfft(
        _echo(count, rng=rng), n=size
    )
    wave = normalised(torch.fft.irfft(spectrum * response, n=size)[:, :samples])
    drive = _uniform(rng, count, (0.02, 0.6))  # up to here a tanh is nearly straight; loud peaks are squeezed
    wave = torch.tanh(wave * drive) / drive
    snr_db = _uniform(rng, count, (8.0, 60.0))
    gain = 10 ** (_uniform(rng, count, (-50.0, 0.0)) / 20)
    return (wave + _noise(count, samples, rng=rng) * 10 ** (-snr_db / 20)) * gain


def _equaliser(count: int, *, bins: int, rng: np.random.Generator) -> Tensor:
    """Draw smooth curves of up to +-10 dB over octaves; one in four is cut off as on a telephone."""
    octaves = torch.log2(torch.linspace(0, SPEECH_RATE_HZ / 2, bins).clamp(min=62.5) / 62.5)  # 0..7
    knots = torch.from_numpy(rng.uniform(-10, 10, (count, 8)).astype(np.float32))
    low = octaves.long().clamp(max=6)
    gain_db = knots[:, low] * (1 - (octaves - low)) + knots[:, low + 1] * (octaves - low)
    cut = torch.from_numpy(
        np.where(rng.random(count) < 0.25, rng.uniform(5.6, 7.0, count), 9.0).astype(np.float32)
    )
    return 10 ** ((gain_db - 40 * (octaves - cut[:, None]).clamp(min=0)) / 20)


def _echo(count: int, *, rng: np.random.Generator) -> Tensor:
    """Draw responses of small rooms: the direct sound, then noise that dies away within 0.05 to 0.4 s."""
    length = SPEECH_RATE_HZ // 2
    decay_secs = _uniform(rng, count, (0.05, 0.4))
    fading = torch.exp(-6.9 * torch.arange(length) / SPEECH_RATE_HZ / decay_secs)
    tail = torch.from_numpy(rng.standard_normal((count, length), dtype=np.float32)) * fading
    strength = _uniform(rng, count, (0.0, 0.5)) * torch.from_numpy(rng.random((count, 1)) < 0.5)
    tail = tail / tail.square().sum(-1, keepdim=True).sqrt() * strength
    tail[:, 0] = 1.0
    return tail


def _noise(count: int, samples: int, *, rng: np.random.Generator) -> Tensor:
    """Draw noise of unit variance between white (hiss) and brown (rumble)."""
    white = torch.from_numpy(rng.standard_normal((count, samples), dtype=np.float32))
    spectrum = torch.fft.rfft(white)
    slope = _uniform(rng, count, (0.0, 1.0))
    return normalised(torch.fft.irfft(spectrum / torch.arange(1, spectrum.shape[-1] + 1) ** slope, n=samples))


def _uniform(rng: np.random.Generator, count: int, span: tuple[float, float]) -> Tensor:
    return torch.from_numpy(rng.uniform(*span, (count, 1)).astype(np.float32))
