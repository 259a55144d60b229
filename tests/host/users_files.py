"""What a user brings for the public models' workflows, under the names that these select.

portrait.png, voice.wav, driving.mp4                in input: a bundled puppet, speech, a few frames
models/cyberhost, models/vae, models/clip_vision    small or random files of the real formats
"""

import wave
from dataclasses import replace
from pathlib import Path

from cyberhost_core import bundled
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.video import VideoWriter, read_frames

from .public_weights import write_autoencoder, write_clip_vision
from .server import Client

VOICE_SECS, CLIP_FRAMES, CLIP_FPS = 0.55, 8, 25
AUTOENCODER = "vae-ft-mse-840000-ema-pruned.safetensors"
CLIP_VISION = "clip-vit-large-patch14.safetensors"
_STARTS_AT_SECS = 1.0  # where the bundled voice speaks


def write_media(folder: Path) -> list[Path]:
    """Write portrait, voice and video."""
    portrait = folder / "portrait.png"
    portrait.write_bytes((bundled.FOLDER / "portraits" / "puppet_0.png").read_bytes())
    sound = read_sound(bundled.FOLDER / "speech" / "train_08.ogg")
    voice = _write_wave(folder / "voice.wav", _cut(sound, seconds=VOICE_SECS))
    clip = _write_clip(folder / "driving.mp4", _cut(sound, seconds=CLIP_FRAMES / CLIP_FPS))
    return [portrait, voice, clip]


def write_weights(folder: Path) -> dict[str, Path]:
    """Write the autoencoder and CLIP's vision tower at full size; gives the files by models' folder."""
    autoencoder = write_autoencoder(folder / "vae", widths=(128, 256, 512, 512))
    return {
        "vae": (autoencoder / "diffusion_pytorch_model.safetensors").rename(folder / AUTOENCODER),
        "clip_vision": write_clip_vision(folder / CLIP_VISION),
    }


def place(host: Client, media: list[Path], weights: dict[str, Path]) -> None:
    """Put everything where ComfyUI looks for it, but the converted checkpoints."""
    for path in media:
        host.upload(path)
    for folder, path in weights.items():
        target = host.server.folder / "models" / folder
        target.mkdir(parents=True, exist_ok=True)
        link(target / path.name, path)
    detectors = {"dw-ll_ucoco_384.onnx": bundled.POSE_DETECTOR, "glintr100.onnx": bundled.FACE_IDENTITY}
    for name, path in detectors.items():
        link(host.server.folder / "models" / "cyberhost" / name, path)


def link(name: Path, path: Path) -> None:
    """Put a file under a name; tests that share a host may each bring their own."""
    name.unlink(missing_ok=True)
    name.symlink_to(path)


def _cut(sound: Sound, *, seconds: float) -> Sound:
    start, stop = (round(at * sound.rate_hz) for at in (_STARTS_AT_SECS, _STARTS_AT_SECS + seconds))
    return replace(sound, wave_CT=sound.wave_CT[:, start:stop])


def _write_wave(path: Path, sound: Sound) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.rate_hz)
        file.writeframes((sound.wave_CT[0] * 32767).astype("<i2").tobytes())
    return path


def _write_clip(path: Path, sound: Sound) -> Path:
    frames_FYXC = read_frames(bundled.FOLDER / "clips" / "puppet_gesture.mp4")[:CLIP_FRAMES]
    _, height, width, _ = frames_FYXC.shape
    with VideoWriter(path, fps=CLIP_FPS, height=height, width=width, sound=sound) as writer:
        writer.write(frames_FYXC)
    return path
