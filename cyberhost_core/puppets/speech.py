"""Give puppets a voice: the bundled utterances, or new ones from espeak-ng.

    seed -> voice, speed, pitch, sentences with pauses -> espeak-ng -> 16 kHz, level, silence at both ends
    -> Utterance

The bundled set needs no espeak-ng, so that demo, tests and bench run everywhere.
"""

import io
import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np

from ..errors import AudioError, MissingExtraError, require_extra
from ..units import SPEECH_RATE_HZ
from .mouth import MouthShape, mouth_shape
from .sentences import sentences
from .split import Split, voices

__all__ = ["MouthShape", "Utterance", "bundled_utterances", "mouth_shape", "synthesize"]

BUNDLED_SPEECH = Path(__file__).parent.parent / "bundled" / "speech"
PEAK = 0.7
MIN_SPEECH_SECS = 2.4  # one to three sentences
_SIDE_STREAM = {"train": 0, "held_out": 1}


@dataclass(frozen=True)
class Utterance:
    """Hold a spoken sound.

    Shapes:   wave_T (T,) float32 mono 16 kHz, -1..1
    """

    name: str
    voice: str
    text: str
    wave_T: np.ndarray


def bundled_utterances(split: Split) -> list[Utterance]:
    """Read the utterances that come with the package.

    Raises:   MissingExtraError: soundfile is not installed
    """
    return list(_bundled(split))


def synthesize(seed: int, *, split: Split, least_secs: float = MIN_SPEECH_SECS) -> Utterance:
    """Speak sentences with a voice of one side of the split until it has spoken for `least_secs`.

    The same seed gives the same utterance (with the same espeak-ng), so results can be cached by (seed,
    split, least_secs); a longer one begins as the shorter one does.

    Raises:   MissingExtraError: espeak-ng is not installed
    """
    rng = np.random.default_rng([seed, 0x5BEEC, _SIDE_STREAM[split]])
    voice = str(rng.choice(voices(split)))
    speed, pitch = int(rng.integers(120, 221)), int(rng.integers(20, 86))
    pieces, texts, spoken = [_silence(rng, 0.1, 0.4)], [], 0
    while spoken < least_secs * SPEECH_RATE_HZ:
        text = str(rng.choice(sentences(split)))
        piece = _trimmed(espeak(text, voice=voice, speed=speed, pitch=pitch))
        pieces += [piece, _silence(rng, 0.25, 0.7)]
        texts.append(text)
        spoken += len(piece)
    pieces[-1] = _silence(rng, 0.1, 0.4)
    wave = np.concatenate(pieces)
    wave = (wave * (PEAK / max(float(np.abs(wave).max()), 1e-6))).astype(np.float32)
    return Utterance(f"{split}_{seed}", voice, " ".join(texts), wave)


def espeak(text: str, *, voice: str, speed: int, pitch: int) -> np.ndarray:
    """Speak a text with espeak-ng: float wave, mono 16 kHz.

    Units:    speed: words per minute; pitch: espeak-ng's own 0..99
    Raises:   MissingExtraError: espeak-ng or soundfile is not installed; AudioError: espeak-ng failed
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingExtraError(
            "Speaking new sentences needs the program 'espeak-ng', which was not found on the PATH; "
            "install it (apt install espeak-ng), or use the bundled utterances."
        )
    command = [program, "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0 or len(done.stdout) < 100:
        complaint = done.stderr.decode(errors="replace").strip()
        raise AudioError(f"espeak-ng gave no sound for voice '{voice}': {complaint}; see espeak-ng --voices.")
    wave, rate_hz = soundfile_module().read(io.BytesIO(_with_length(done.stdout)), dtype="float64")
    return _resampled(wave, rate_hz=rate_hz)


def _with_length(wav: bytes) -> bytes:
    """Write the true length into a WAV that was streamed to a pipe, whose header promises 2 GB."""
    return wav[:40] + (len(wav) - 44).to_bytes(4, "little") + wav[44:]


def _resampled(wave: np.ndarray, *, rate_hz: int) -> np.ndarray:
    """Cut the spectrum at 8 kHz; exact for a piece that begins and ends in silence, as these do."""
    count = round(len(wave) * SPEECH_RATE_HZ / rate_hz)
    return np.fft.irfft(np.fft.rfft(wave)[: count // 2 + 1], n=count) * (count / len(wave))


def _trimmed(wave: np.ndarray) -> np.ndarray:
    """Cut espeak-ng's own silence, so that pauses are ours to set."""
    loud = np.flatnonzero(np.abs(wave) > 0.01 * np.abs(wave).max())
    return wave[loud[0] : loud[-1] + 1] if len(loud) else wave


def _silence(rng: np.random.Generator, low_secs: float, high_secs: float) -> np.ndarray:
    return np.zeros(round(rng.uniform(low_secs, high_secs) * SPEECH_RATE_HZ))


@lru_cache(maxsize=2)
def _bundled(split: Split) -> tuple[Utterance, ...]:
    index = json.loads((BUNDLED_SPEECH / "index.json").read_text(encoding="utf-8"))
    return tuple(
        Utterance(row["name"], row["voice"], row["text"], _read_ogg(BUNDLED_SPEECH / row["file"]))
        for row in index
        if row["split"] == split
    )


def _read_ogg(path: Path) -> np.ndarray:
    wave, rate_hz = soundfile_module().read(path, dtype="float32")
    if rate_hz != SPEECH_RATE_HZ:
        raise AudioError(f"{path.name} has {rate_hz} Hz, expected {SPEECH_RATE_HZ}; reinstall the package.")
    return wave


def soundfile_module() -> ModuleType:
    """Import soundfile where it is needed, because the library must load without it.

    Raises:   MissingExtraError: it is not installed
    """
    try:
        import soundfile
    except ImportError as error:
        raise require_extra("soundfile", extra="standalone", purpose="Reading puppet speech") from error
    return soundfile
