"""Run inside a ComfyUI's own Python: what the pack's audio encoders make of one sound, as JSON lines.

    cd ComfyUI && venv/bin/python REPOSITORY/tests/host/hearing_inside.py

Small networks of random weights, built by transformers and by ComfyUI itself.
"""

import importlib.util
import json
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path[:0] = ["."]

import comfy.cli_args  # noqa: E402

comfy.cli_args.args.cpu = True

import comfy.model_management as management  # noqa: E402
import torch  # noqa: E402
from comfy.audio_encoders.audio_encoders import AudioEncoderModel  # noqa: E402
from transformers import Wav2Vec2Config, Wav2Vec2Model, WhisperConfig, WhisperModel  # noqa: E402

WAV2VEC2 = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 8,
}
WHISPER = {
    "num_mel_bins": 8,
    "max_source_positions": 60,
    "d_model": 12,
    "encoder_attention_heads": 2,
    "encoder_layers": 2,
    "encoder_ffn_dim": 24,
}
FPS, SECONDS = 24.0, 3.01


def load_pack() -> None:
    """As the host does: under a name of its own, its folder not on the path."""
    spec = importlib.util.spec_from_file_location(
        "pack", REPOSITORY / "__init__.py", submodule_search_locations=[str(REPOSITORY)]
    )
    sys.modules["pack"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pack"])


def main() -> None:
    load_pack()
    from pack.cyberhost_core.errors import CyberHostError
    from pack.cyberhost_core.perception.hearing import hear as hear_in_core
    from pack.nodes.bridge.audio_encoder import audio_encoder
    from pack.nodes.helpers.hearing import hear

    torch.manual_seed(0)
    wav2vec2 = Wav2Vec2Model(Wav2Vec2Config(**WAV2VEC2))
    whisper = WhisperModel(WhisperConfig(**WHISPER)).encoder
    audio = {"waveform": torch.randn(1, 1, int(SECONDS * 16_000)) * 0.1, "sample_rate": 16_000}

    def say(name: str, **found: object) -> None:
        print(json.dumps({"name": name, **found}))  # noqa: T201

    def complaint(name: str, ask) -> None:
        try:
            ask()
        except CyberHostError as error:
            say(name, error=str(error))

    encoders = {
        "wav2vec2": audio_encoder(wav2vec2.state_dict(), {"model_type": "wav2vec2", **WAV2VEC2}),
        "wav2vec2_stretched": audio_encoder(
            wav2vec2.state_dict(), {"model_type": "wav2vec2", **WAV2VEC2}, hearing="wav2vec2_stretched"
        ),
        "whisper": audio_encoder(
            whisper.state_dict(), {"model_type": "whisper", **WHISPER}, hearing="whisper"
        ),
    }
    for name, encoder in encoders.items():
        track = hear(audio, encoder=encoder, encoded=None, fps=FPS)
        frames = len(track.features_FD)
        core = hear_in_core(encoder.listener, audio["waveform"][0, 0], frames=frames, fps=FPS)
        say(
            name,
            hearing=track.hearing,
            shape=list(track.features_FD.shape),
            seconds=track.seconds,
            off=float((track.features_FD.float() - core.float()).abs().max()),
        )
    for name in ("wav2vec2", "wav2vec2_stretched"):
        encoded = encoders[name].encode_audio(audio["waveform"], 16_000)
        track = hear(audio, encoder=None, encoded=encoded, fps=FPS)
        say(f"{name}, through a native node", hearing=track.hearing, shape=list(track.features_FD.shape))
    complaint(
        "whisper, to a native node", lambda: encoders["whisper"].encode_audio(audio["waveform"], 16_000)
    )

    native = AudioEncoderModel(
        {"model_type": "whisper3", "n_mels": 8, "n_audio_state": 16, "n_audio_head": 2, "n_audio_layer": 1}
    )
    complaint("ComfyUI's Whisper", lambda: hear(audio, encoder=native, encoded=None, fps=FPS))
    output = native.encode_audio(audio["waveform"], 16_000)
    complaint("ComfyUI's Whisper, encoded", lambda: hear(audio, encoder=None, encoded=output, fps=FPS))

    long = {"waveform": torch.randn(1, 1, 70 * 16_000) * 0.1, "sample_rate": 16_000}
    for name, encoder in encoders.items():
        management.interrupt_current_processing()
        try:
            hear(long, encoder=encoder, encoded=None, fps=FPS)
        except management.InterruptProcessingException:
            say(f"{name}, cancelled", stopped=True)


if __name__ == "__main__":
    main()
