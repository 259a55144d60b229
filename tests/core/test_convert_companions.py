"""Autoencoder and audio encoder in the same file: whatever form they come in, the same network comes out."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, WhisperConfig, WhisperForConditionalGeneration

from cyberhost_core.checkpoints.accounting import Report, UnaccountedWeightsError
from cyberhost_core.checkpoints.file import open_checkpoint
from cyberhost_core.checkpoints.peers import convert_peer
from cyberhost_core.errors import CheckpointError
from cyberhost_core.perception.wav2vec_file import build_wav2vec
from cyberhost_core.perception.whisper_file import build_whisper
from cyberhost_core.systems.public import PeerConfig

from .weight_files import peer_shapes, random_weights, shrunk

GROUPS = 32  # what an autoencoder's shapes do not tell


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "all.safetensors"
    save_file(random_weights(shrunk(peer_shapes("animate-anyone"))), path)
    return path


@pytest.fixture
def convert(model_file: Path, tmp_path: Path) -> Callable[..., tuple[Report, Any]]:
    def convert(**companions: Path) -> tuple[Report, Any]:
        out = tmp_path / "out.safetensors"
        config = PeerConfig(norm_groups=8, motion_norm_groups=8)
        report = convert_peer(
            "animate-anyone", [model_file], out, config=config, dtype=torch.float32, **companions
        )
        return report, open_checkpoint(out)

    return convert


def dropped(report: Report, part: str) -> dict[str, list[str]]:
    """Reason -> dropped names of a part."""
    found: dict[str, list[str]] = {}
    for name, group in report.groups.items():
        for reason, names in group.dropped.items() if name.startswith(part) else ():
            found.setdefault(reason, []).extend(name.split(": ")[1] for name in names)
    return found


@pytest.fixture
def autoencoder(fill: Callable) -> AutoencoderKL:
    model = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=[32, 64, 32],
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=GROUPS,
    ).eval()
    fill(model)
    return model.requires_grad_(False)


def as_older_diffusers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    older = re.compile(r"(attentions\.0\.)(to_q|to_k|to_v|to_out\.0)\.")
    return {older.sub(lambda f: f"{f[1]}{names[f[2]]}.", name): value for name, value in state.items()}


def as_original(state: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Names of the original code, written down the other way round; three resolutions."""
    original = {}
    for name, value in state.items():
        if re.search(r"attentions\.0\.to_.*weight", name):
            value = value[:, :, None, None]
        for pattern, replacement in {
            r"attentions\.0\.group_norm": "attn_1.norm",
            r"attentions\.0\.to_([qkv])": r"attn_1.\1",
            r"attentions\.0\.to_out\.0": "attn_1.proj_out",
            r"mid_block\.resnets\.0": "mid.block_1",
            r"mid_block\.resnets\.1": "mid.block_2",
            r"mid_block\.": "mid.",
            r"down_blocks\.(\d)\.resnets": r"down.\1.block",
            r"down_blocks\.(\d)\.downsamplers\.0": r"down.\1.downsample",
            r"up_blocks\.0\.": "up.2.",
            r"up_blocks\.1\.": "up.1.",
            r"up_blocks\.2\.": "up.0.",
            r"upsamplers\.0": "upsample",
            r"up\.(\d)\.resnets": r"up.\1.block",
            r"conv_shortcut": "nin_shortcut",
            r"conv_norm_out": "norm_out",
        }.items():
            name = re.sub(pattern, replacement, name)
        original[prefix + name] = value.contiguous()
    return original


def write_vae(form: str, model: AutoencoderKL, folder: Path) -> Path:
    state = model.state_dict()
    if form == "folder":
        model.save_pretrained(folder / "sd-vae-ft-mse")
        return folder / "sd-vae-ft-mse"
    if form == "pipeline folder":
        model.save_pretrained(folder / "sd" / "vae")
        return folder / "sd"
    path = folder / "vae.any"
    if form == "older .bin":
        torch.save(as_older_diffusers(state), path)
    elif form == "original .ckpt":
        extras = {"loss.logvar": torch.ones(1), "model_ema.decay": torch.ones(1)}
        torch.save({"state_dict": as_original(state) | extras}, path)
    elif form == "whole checkpoint":
        extras = {"model.diffusion_model.out.0.bias": torch.ones(1), "betas": torch.ones(1)}
        save_file(as_original(state, "first_stage_model.") | extras, path)
    else:
        save_file(state, path)
    return path


@pytest.mark.parametrize(
    "form", ["folder", "pipeline folder", "file", "older .bin", "original .ckpt", "whole checkpoint"]
)
def test_an_autoencoder_decodes_the_same_in_whatever_form_it_came(
    form: str, autoencoder: AutoencoderKL, convert: Callable, tmp_path: Path
) -> None:
    report, stored = convert(vae=write_vae(form, autoencoder, tmp_path))
    assert stored.vae is None
    state, config = stored.autoencoder
    built = AutoencoderKL.from_config(config).eval()
    built.load_state_dict({name: value.float() for name, value in state.items()})
    latents = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    picture = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(built.decode(latents).sample, autoencoder.decode(latents).sample)
        assert torch.equal(
            built.encode(picture).latent_dist.mean, autoencoder.encode(picture).latent_dist.mean
        )
    assert built.config.scaling_factor == 0.18215
    left_out = sum(map(len, dropped(report, "vae").values()))
    assert left_out == (2 if form in ("original .ckpt", "whole checkpoint") else 0)


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(torch.float32, torch.float32), (torch.float16, torch.float16), (torch.bfloat16, torch.float16)],
)
def test_companions_are_never_stored_in_fewer_digits_than_float16(
    dtype: torch.dtype, kept: torch.dtype, autoencoder: AutoencoderKL, model_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    convert_peer(
        "animate-anyone",
        [model_file],
        out,
        config=PeerConfig(norm_groups=8, motion_norm_groups=8),
        dtype=dtype,
        vae=write_vae("file", autoencoder, tmp_path),
    )
    stored = open_checkpoint(out)
    assert stored.autoencoder is not None
    assert {value.dtype for value in stored.autoencoder[0].values()} == {kept}
    assert {value.dtype for value in stored.system.values()} == {dtype}


def test_an_autoencoder_with_a_weight_missing_or_of_another_kind_is_refused(
    autoencoder: AutoencoderKL, convert: Callable, tmp_path: Path
) -> None:
    state, path = autoencoder.state_dict(), tmp_path / "vae.safetensors"
    del state["decoder.mid_block.resnets.0.conv1.bias"]
    save_file(state, path)
    with pytest.raises(
        UnaccountedWeightsError, match=r"missing 'vae\.decoder\.mid_block\.resnets\.0\.conv1\.bias'"
    ):
        convert(vae=path)
    save_file({"layer.weight": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="no autoencoder of Stable Diffusion; give sd-vae-ft-mse"):
        convert(vae=path)
    folder = write_vae("folder", autoencoder, tmp_path)
    (folder / "config.json").write_text('{"_class_name": "AutoencoderTiny"}', encoding="utf-8")
    with pytest.raises(CheckpointError, match="describes 'AutoencoderTiny', an AutoencoderKL was expected"):
        convert(vae=folder)


def write_wav2vec(form: str, folder: Path) -> tuple[Path, Wav2Vec2ForCTC]:
    torch.manual_seed(3)
    # A lone file does not say how many groups its positions have: there they are the published model's.
    groups = 4 if form == "folder" else 16
    config = Wav2Vec2Config(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=96,
        num_conv_pos_embedding_groups=groups,
        vocab_size=5,
    )
    model = Wav2Vec2ForCTC(config).eval()
    model.save_pretrained(folder / "w2v")
    (folder / "w2v" / "preprocessor_config.json").write_text('{"do_normalize": false}', encoding="utf-8")
    if form == "folder":
        return folder / "w2v", model
    path = folder / "lone.any"
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    if form == "file with older names":  # as in the published wav2vec2-base-960h
        renamed = {
            name.replace("parametrizations.weight.original0", "weight_g").replace(
                "parametrizations.weight.original1", "weight_v"
            ): value
            for name, value in state.items()
        }
        assert renamed.keys() != state.keys()
        torch.save(renamed, path)
    else:
        save_file(state, path)
    return path, model


@pytest.mark.parametrize("form", ["folder", "file", "file with older names"])
def test_wav2vec2_hears_the_same_in_whatever_form_it_came(
    form: str, convert: Callable, tmp_path: Path
) -> None:
    path, model = write_wav2vec(form, tmp_path)
    report, stored = convert(audio_encoder=path)
    state, config = stored.audio_encoder
    assert config["model_type"] == "wav2vec2"
    assert config["do_normalize"] is (form != "folder")
    built = build_wav2vec(state, config)
    wave = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model.wav2vec2(wave, output_hidden_states=True)
        found = built(wave, output_hidden_states=True)
    assert len(found.hidden_states) == 3
    for ours, theirs in zip(found.hidden_states, expected.hidden_states, strict=True):
        assert torch.equal(ours, theirs)
    (names,) = dropped(report, "audio_encoder").values()
    assert {name.removeprefix("wav2vec2.") for name in names} == {
        "masked_spec_embed",
        "lm_head.weight",
        "lm_head.bias",
    }


WHISPER = WhisperConfig(
    d_model=128,
    encoder_layers=2,
    encoder_attention_heads=2,
    encoder_ffn_dim=512,
    decoder_layers=1,
    decoder_attention_heads=2,
    decoder_ffn_dim=64,
    num_mel_bins=80,
    max_source_positions=50,
    vocab_size=60,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
    decoder_start_token_id=1,
)


def as_openai(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's names of an encoder, written down the other way round, and some of a decoder."""
    renamed = {}
    for name, value in state.items():
        for ours, theirs in {
            "layers.": "blocks.",
            "self_attn_layer_norm": "attn_ln",
            "final_layer_norm": "mlp_ln",
            "self_attn.q_proj": "attn.query",
            "self_attn.k_proj": "attn.key",
            "self_attn.v_proj": "attn.value",
            "self_attn.out_proj": "attn.out",
            "fc1": "mlp.0",
            "fc2": "mlp.2",
            "embed_positions.weight": "positional_embedding",
        }.items():
            name = name.replace(ours, theirs)
        renamed[f"encoder.{'ln_post' + name[10:] if name.startswith('layer_norm.') else name}"] = value
    return renamed | {
        "decoder.token_embedding.weight": torch.ones(2),
        "decoder.blocks.0.attn.query.weight": torch.ones(2),
    }


def write_whisper(form: str, folder: Path) -> tuple[Path, WhisperForConditionalGeneration]:
    torch.manual_seed(4)
    model = WhisperForConditionalGeneration(WHISPER).eval()
    if form == "folder":
        model.save_pretrained(folder / "whisper-tiny")
        return folder / "whisper-tiny", model
    path = folder / "tiny.pt"
    if form == "OpenAI":
        dims = {"n_mels": 80, "n_audio_ctx": 50}
        encoder = as_openai(model.model.encoder.state_dict())
        torch.save({"dims": dims, "model_state_dict": encoder}, path)
    else:
        save_file({f"model.{name}": value for name, value in model.model.state_dict().items()}, path)
    return path, model


@pytest.mark.parametrize("form", ["folder", "file", "OpenAI"])
def test_whispers_encoder_hears_the_same_in_whatever_form_it_came(
    form: str, convert: Callable, tmp_path: Path
) -> None:
    path, model = write_whisper(form, tmp_path)
    report, stored = convert(audio_encoder=path)
    state, config = stored.audio_encoder
    assert config["model_type"] == "whisper"
    assert state.keys() == model.model.encoder.state_dict().keys()
    built = build_whisper(state, config)
    spectrum = torch.randn(1, 80, 100, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model.model.encoder(spectrum).last_hidden_state
        assert torch.equal(built(spectrum).last_hidden_state, expected)
    ((reason, names),) = dropped(report, "audio_encoder").items()
    assert "only the encoder hears" in reason
    assert all(re.match(r"(model\.)?(decoder\.|proj_out\.)", name) for name in names)


def test_an_audio_encoder_that_is_damaged_or_none_is_refused(convert: Callable, tmp_path: Path) -> None:
    path, _ = write_whisper("OpenAI", tmp_path)
    stored = torch.load(path, weights_only=True)
    stored["model_state_dict"]["encoder.blocks.1.mlp.0.gain"] = torch.ones(2)
    torch.save(stored, path)
    with pytest.raises(
        UnaccountedWeightsError, match=r"unexpected 'tiny\.pt: encoder\.blocks\.1\.mlp\.0\.gain'"
    ):
        convert(audio_encoder=path)
    other = tmp_path / "other.safetensors"
    save_file({"layer.weight": torch.ones(2)}, other)
    with pytest.raises(CheckpointError, match="neither wav2vec2 nor Whisper"):
        convert(audio_encoder=other)
    folder, _ = write_wav2vec("folder", tmp_path)
    (folder / "config.json").write_text(json.dumps({"model_type": "wav2vec2"})[:-3], encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read .*: download it again"):
        convert(audio_encoder=folder)
