"""An assembled system is its parents, weight for weight and number for number, and nothing is left over."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import MotionAdapter, UNetMotionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cyberhost_core.backbone.motion_module import sinusoidal
from cyberhost_core.checkpoints.accounting import Report, UnaccountedWeightsError
from cyberhost_core.checkpoints.assemble import assemble, assembled_system, plan_assembly
from cyberhost_core.checkpoints.file import load_checkpoint
from cyberhost_core.errors import CheckpointError, ConfigError
from cyberhost_core.systems.cyberhost import paper
from cyberhost_core.systems.model import SystemModel, on_meta
from cyberhost_core.systems.spec import SystemSpec

from .original_names import Shapes, original_autoencoder, original_unet
from .small_parents import HEADS, narrow
from .weight_files import is_position, peer_shapes, write_sparse

WIDTHS, GROUPS, TOKENS = (32, 64, 32, 64), 8, 24
OWN = r"(denoiser\..*\.(norm_audio|attn_audio|face_attentions|hands_attentions)\.|(?!denoiser|reference_net))"
BESIDE = {  # what else a whole Stable Diffusion file holds, and why it is left out
    "cond_stage_model.transformer.text_model.embeddings.position_ids": "the text encoder",
    "model_ema.decay": "a second, averaged copy",
    "model_ema.diffusion_modelinput_blocks00weight": "a second, averaged copy",
    "betas": "the noise schedule",
    "sqrt_one_minus_alphas_cumprod": "the noise schedule",
    "posterior_mean_coef1": "the noise schedule",
    "logvar": "the noise schedule",
}


def sd15() -> Shapes:
    with torch.device("meta"):
        state = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8).state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


def motion_v2() -> Shapes:
    prefix = "denoising_unet."
    shapes = peer_shapes("animate-anyone")
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if ".motion_modules." in name}


def motion_v3() -> Shapes:
    return {name: shape for name, shape in motion_v2().items() if not name.startswith("mid_block.")}


def adapter_v2() -> Shapes:
    with torch.device("meta"):
        state = MotionAdapter(motion_max_seq_length=32).state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


def original_file() -> Shapes:
    unet = {f"model.diffusion_model.{name}": shape for name, shape in original_unet().items()}
    vae = {f"first_stage_model.{name}": shape for name, shape in original_autoencoder().items()}
    return {**unet, **vae, **dict.fromkeys(BESIDE, (1,))}


def names_in(report: Report, kind: str) -> list[str]:
    return [name for group in report.groups.values() for name in getattr(group, kind)]


def dropped_in(report: Report) -> dict[str, str]:
    """Dropped name -> reason."""
    return {
        name.split(": ")[1]: reason
        for group in report.groups.values()
        for reason, names in group.dropped.items()
        for name in names
    }


def test_every_system_of_stable_diffusions_latents_can_be_assembled(tmp_path: Path) -> None:
    """EMO2's 36 positions are no obstacle: they are sinusoids, and the parent's 32 are left out."""
    unet = write_sparse(tmp_path / "unet.safetensors", sd15())
    motion = write_sparse(tmp_path / "motion.safetensors", motion_v2())
    brought = set()
    for name in ("cyberhost", "cyberhost-head", "emo2"):
        spec = assembled_system(name)
        assert spec.name == name
        report = plan_assembly(unet, motion, spec=spec).report
        matched = {ours for group in report.groups.values() for ours in group.matched}
        assert matched | set(names_in(report, "initialised")) == on_meta(spec).state_dict().keys()
        brought.add(frozenset(matched))
    assert len(brought) == 1, "all three have the same parents"


def test_paha_has_one_network_whose_attention_to_text_looks_at_the_picture(tmp_path: Path) -> None:
    """There is no reference network to be filled, and no weight of Stable Diffusion's is left over."""
    unet = write_sparse(tmp_path / "unet.safetensors", sd15())
    motion = write_sparse(tmp_path / "motion.safetensors", motion_v2())
    report = plan_assembly(unet, motion, spec=assembled_system("paha")).report
    matched = {ours for group in report.groups.values() for ours in group.matched}
    assert {name for name in matched if ".attn2." in name}
    assert {name.split(".")[0] for name in matched} == {"denoiser"}
    own = {name.split(".")[0] for name in names_in(report, "initialised")}
    assert own == {"denoiser", "audio_projection", "image_projection"}
    assert all("audio" in name for name in names_in(report, "initialised") if name.startswith("denoiser."))
    assert all(name.endswith("pos_encoder.pe") for name in dropped_in(report)), "sinusoids of their own"


@pytest.mark.parametrize("name", ["cyberhost-tiny", "emo2-tiny", "hallo", "cyberhots"])
def test_no_other_system_starts_from_stable_diffusion(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"no system '{name}' that .*: cyberhost, cyberhost-head, emo2, paha\.$"
    ):
        assembled_system(name)


UNETS: dict[str, Callable[[], Shapes]] = {"diffusers": sd15, "original": original_file}
MOTIONS: dict[str, tuple[Callable[[], Shapes], str]] = {
    "v2": (motion_v2, ""),
    "v2, trained in parallel": (motion_v2, "module."),
    "v3": (motion_v3, ""),
    "MotionAdapter": (adapter_v2, ""),
}


@pytest.mark.parametrize(
    ("unet", "motion"),
    [
        ("diffusers", "v2"),
        ("diffusers", "v3"),
        ("original", "v2, trained in parallel"),
        ("original", "MotionAdapter"),
    ],
)
def test_every_weight_of_the_full_size_parents_is_accounted_for(
    unet: str, motion: str, tmp_path: Path
) -> None:
    make_motion, prefix = MOTIONS[motion]
    unet_shapes, motion_shapes = UNETS[unet](), make_motion()
    report = plan_assembly(
        write_sparse(tmp_path / "unet.safetensors", unet_shapes),
        write_sparse(tmp_path / "motion.safetensors", motion_shapes, prefix=prefix),
        spec=paper(),
    ).report
    matched, dropped = {}, dropped_in(report)
    for group in report.groups.values():
        matched |= group.matched
    origins = {origin.split(": ")[1] for origin in matched.values()}
    theirs = {*unet_shapes, *(prefix + name for name in motion_shapes)}
    assert origins | dropped.keys() == theirs
    assert not origins & dropped.keys()

    # What the paper's model uses of its parents, counted by hand from the blocks that it has.
    text = [name for name, reason in dropped.items() if reason.startswith("attention to text")]
    assert len(text) == 16 * 7, "norm2 and attn2 of 16 transformers"
    assert all(re.search(r"\.(attn2|norm2)\.", name) for name in text)
    from_unet = [name for name in matched if ".motion_modules." not in name]
    assert sum(name.startswith("denoiser.") for name in from_unet) == 686 - 112
    assert sum(name.startswith("reference_net.") for name in from_unet) == 686 - 112 - 4, "no output layers"
    modules = 20 if motion == "v3" else 21
    assert sum(".motion_modules." in name for name in matched) == 26 * modules
    assert sum(map(is_position, dropped)) == sum(map(is_position, motion_shapes))

    # Everything else is the system's own, and all of it is there.
    own = names_in(report, "initialised")
    assert matched.keys() | set(own) == on_meta(paper()).state_dict().keys()
    middle = [name for name in own if name.startswith("denoiser.mid_block.motion_modules.0.")]
    assert len(middle) == (26 if motion == "v3" else 0)
    assert all(re.match(OWN, name) for name in set(own) - set(middle))


def test_what_else_a_stable_diffusion_file_holds_is_left_out_with_the_reason(tmp_path: Path) -> None:
    shapes = original_file()
    unet = write_sparse(tmp_path / "unet.safetensors", shapes)
    motion = write_sparse(tmp_path / "motion.safetensors", motion_v2())
    dropped = dropped_in(plan_assembly(unet, motion, spec=paper()).report)
    for name, reason in BESIDE.items():
        assert reason in dropped[name]
    inside = [name for name in shapes if name.startswith("first_stage_model.")]
    assert all("autoencoder" in dropped[name] for name in inside)
    plan = plan_assembly(unet, motion, spec=paper(), vae=unet)
    kept = {ours: origin for group in plan.report.groups.values() for ours, origin in group.matched.items()}
    autoencoder = {origin.split(": ")[1] for ours, origin in kept.items() if ours.startswith("vae.")}
    assert autoencoder == set(inside)
    assert not autoencoder & dropped_in(plan.report).keys(), "accounted for once"
    described = json.loads(plan.metadata["vae"])
    assert described["_class_name"] == "AutoencoderKL"
    assert described["block_out_channels"] == [128, 256, 512, 512]


# From here on a small system of the same structure, with real numbers.


@pytest.fixture
def spec() -> SystemSpec:
    return narrow(paper(), widths=WIDTHS, groups=GROUPS, feature_dim=6, height=128, width=64)


@pytest.fixture
def unet(fill: Callable) -> UNet2DConditionModel:
    model = UNet2DConditionModel(
        block_out_channels=WIDTHS,
        cross_attention_dim=TOKENS,
        attention_head_dim=HEADS,
        norm_num_groups=GROUPS,
    ).eval()
    fill(model)
    return model.requires_grad_(False)


@pytest.fixture
def adapter(fill: Callable) -> MotionAdapter:
    model = MotionAdapter(
        block_out_channels=WIDTHS,
        motion_num_attention_heads=HEADS,
        motion_norm_num_groups=GROUPS,
        motion_max_seq_length=32,
    ).eval()
    fill(model, seed=1)
    return model.requires_grad_(False)


@pytest.fixture
def assembled(
    spec: SystemSpec, unet: UNet2DConditionModel, adapter: MotionAdapter, tmp_path: Path
) -> Callable[..., SystemModel]:
    """Save the parents as they are now, assemble in full precision, load."""

    def assembled(**options: object) -> SystemModel:
        parents = save_parents(unet, adapter, tmp_path)
        out = tmp_path / "out.safetensors"
        assemble(*parents, out, **{"spec": spec, "dtype": torch.float32, **options})
        return load_checkpoint(out).model

    return assembled


def save_parents(unet: nn.Module, adapter: nn.Module, folder: Path) -> tuple[Path, Path]:
    unet.save_pretrained(folder / "sd" / "unet")
    adapter.save_pretrained(folder / "adapter")
    return folder / "sd", folder / "adapter"


def deaf_to_text(unet: nn.Module) -> None:
    """Take the attention to text out: its output is zero, whatever it reads."""
    for name, module in unet.named_modules():
        if name.endswith("attn2") and ".attentions." in name:
            nn.init.zeros_(module.to_out[0].weight)
            nn.init.zeros_(module.to_out[0].bias)


def test_without_motion_it_predicts_as_stable_diffusion_without_text_does(
    unet: UNet2DConditionModel, adapter: MotionAdapter, assembled: Callable, clips: Callable
) -> None:
    for name, module in adapter.named_modules():
        if name.endswith("proj_out"):  # as AnimateDiff starts its own training
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    model = assembled()
    deaf_to_text(unet)
    told = clips(model)
    # Sound, hands, face, map, clarity and motion frames are all given, and none of them changes a number.
    conditions = told.conditions(having=(False, False), motion=True)
    with torch.no_grad():
        found = told.predict(conditions)
        expected = unet(
            told.latents.flatten(0, 1),
            told.timestep.repeat_interleave(told.frames),
            encoder_hidden_states=torch.zeros(len(found), 1, TOKENS),
        ).sample
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


def test_with_motion_it_predicts_a_frame_as_animatediff_does(
    unet: UNet2DConditionModel, adapter: MotionAdapter, assembled: Callable, clips: Callable
) -> None:
    # diffusers' motion modules pool their norms over frames, ours do not: one frame is where both must agree.
    # Our clips begin at position 4, after the motion frames; so the parent's positions are moved there.
    model = assembled()
    first = 4
    for name, buffer in adapter.named_buffers():
        if is_position(name):
            buffer.copy_(sinusoidal(32, buffer.shape[-1]).roll(-first, dims=0)[None])
    deaf_to_text(unet)
    parent = UNetMotionModel.from_unet2d(unet, adapter).eval()
    told = clips(model, frames=1)
    with torch.no_grad():
        found = told.predict(told.conditions(having=(False, False)))
        expected = parent(
            told.latents.transpose(1, 2), told.timestep, encoder_hidden_states=torch.zeros(2, 1, TOKENS)
        ).sample.transpose(1, 2)
        without = unet(
            told.latents[:, 0], told.timestep, encoder_hidden_states=torch.zeros(2, 1, TOKENS)
        ).sample
    assert float((expected[:, 0] - without).abs().max()) > 0.1, "motion matters here"
    torch.testing.assert_close(found, expected.flatten(0, 1), atol=5e-5, rtol=1e-5)


def test_its_reference_network_sees_what_stable_diffusion_sees(
    unet: UNet2DConditionModel, assembled: Callable, clips: Callable
) -> None:
    model = assembled()
    deaf_to_text(unet)
    seen: dict[str, Tensor] = {}
    for name, module in unet.named_modules():
        if name.endswith(".norm1") and ".attentions." in name:
            path = name.split(".transformer_blocks")[0]
            module.register_forward_hook(lambda *call, path=path: seen.update({path: call[2]}))
    told = clips(model)
    with torch.no_grad():
        unet(told.portrait["latents"], 0, encoder_hidden_states=torch.zeros(2, 1, TOKENS))
        features = told.read().under("features")
    assert features.keys() == seen.keys()
    assert len(seen) == 16
    for path, feature in features.items():
        torch.testing.assert_close(feature, seen[path], atol=2e-5, rtol=1e-5)


def test_every_parents_value_is_stored_as_it_was(
    unet: UNet2DConditionModel, adapter: MotionAdapter, assembled: Callable
) -> None:
    state = assembled().state_dict()
    for name, value in unet.state_dict().items():
        if not re.search(r"\.(attn2|norm2)\.", name) or ".resnets." in name:
            assert torch.equal(state[f"denoiser.{name}"], value)
            if not name.startswith(("conv_norm_out.", "conv_out.")):
                assert torch.equal(state[f"reference_net.{name}"], value)
    for name, value in adapter.state_dict().items():
        if not is_position(name):
            assert torch.equal(state[f"denoiser.{name}"], value)


def test_its_own_parts_start_as_the_model_starts_them(spec: SystemSpec, assembled: Callable) -> None:
    torch.manual_seed(7)
    fresh, found = SystemModel(spec).state_dict(), assembled().state_dict()
    own = [name for name in fresh if re.match(OWN, name)]
    assert len(own) > 700
    drawn = 0
    for name in own:
        assert found[name].shape == fresh[name].shape
        if fresh[name].numel() > 1 and float(fresh[name].std()) == 0:  # zeros and ones
            assert torch.equal(found[name], fresh[name]), name
        elif fresh[name].numel() >= 500:
            drawn += 1
            assert not torch.equal(found[name], fresh[name]), "an own stream of random numbers"
            assert float(found[name].std() / fresh[name].std()) == pytest.approx(1, abs=0.25), name
            assert abs(float(found[name].mean())) < 0.2 * float(found[name].std()), name
    assert drawn > 50


def test_equal_seeds_give_equal_bytes_and_others_another_start(
    spec: SystemSpec, unet: UNet2DConditionModel, adapter: MotionAdapter, tmp_path: Path
) -> None:
    parents = save_parents(unet, adapter, tmp_path)
    paths = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for path, seed in zip(paths, (0, 0, 1), strict=True):
        torch.manual_seed(len(path.name) + seed)  # what was drawn before must not matter
        drawn = torch.get_rng_state()
        assemble(*parents, path, spec=spec, seed=seed)
        assert torch.equal(torch.get_rng_state(), drawn), "nor be disturbed"
    assert paths[0].read_bytes() == paths[1].read_bytes()
    one, other = load_file(paths[0]), load_file(paths[2])
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed
    assert all(re.match(OWN, name) for name in changed)


def test_a_v3_module_leaves_the_middle_block_as_the_model_starts_it(
    spec: SystemSpec, unet: UNet2DConditionModel, adapter: MotionAdapter, tmp_path: Path
) -> None:
    sd, _ = save_parents(unet, adapter, tmp_path)
    motion = tmp_path / "v3.safetensors"
    outer = {name: value for name, value in adapter.state_dict().items() if not name.startswith("mid_block.")}
    save_file(outer, motion)
    out = tmp_path / "out.safetensors"
    report = assemble(sd, motion, out, spec=spec, dtype=torch.float32)
    stored = load_file(out)
    middle = "denoiser.mid_block.motion_modules.0."
    assert sum(name.startswith(middle) for name in names_in(report, "initialised")) == 26
    assert not stored[f"{middle}proj_out.weight"].any()
    assert stored[f"{middle}proj_in.weight"].any()
    # one weight of a middle block missing is no v3, but damage
    partial = dict(adapter.state_dict())
    del partial["mid_block.motion_modules.0.proj_in.bias"]
    save_file(partial, motion)
    with pytest.raises(
        UnaccountedWeightsError, match=r"missing 'denoiser\.mid_block\.motion_modules\.0\.proj_in"
    ):
        plan_assembly(sd, motion, spec=spec)


def change_unet(**changes: object) -> Callable[[Path, Path], None]:
    def change(unet: Path, _motion: Path) -> None:
        edit(unet, **changes)

    return change


def change_motion(**changes: object) -> Callable[[Path, Path], None]:
    def change(_unet: Path, motion: Path) -> None:
        edit(motion, **changes)

    return change


def edit(path: Path, *, drop: str = "", add: dict[str, Tensor] | None = None) -> None:
    state = {name: value for name, value in load_file(path).items() if not drop or not re.search(drop, name)}
    save_file({**state, **(add or {})}, path)


SURPRISES: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "unet lacks": (
        change_unet(drop=r"^mid_block\.resnets\.0\.conv1\.bias"),
        r"2 weights .*missing 'denoiser\.mid_block\.resnets\.0\.conv1\.bias', missing 'reference_net\.mid_b",
    ),
    "unet has more": (
        change_unet(add={"add_embedding.linear_1.weight": torch.ones(2)}),
        r"unexpected 'unet\.safetensors: add_embedding\.linear_1\.weight'",
    ),
    "unet for inpainting": (
        change_unet(add={"conv_in.weight": torch.ones(32, 9, 3, 3)}),
        r"conv_in\.weight of shape \[32, 9, 3, 3\] instead of \[32, 4, 3, 3\]",
    ),
    "motion lacks": (
        change_motion(drop=r"^up_blocks\.3\.motion_modules\.2\.norm\.weight"),
        r"missing 'denoiser\.up_blocks\.3\.motion_modules\.2\.norm\.weight'",
    ),
    "motion has more": (
        change_motion(add={"conv_in.weight": torch.ones(2)}),
        r"unexpected 'motion\.safetensors: conv_in\.weight'|conv_in\.weight of shape \[2\]",
    ),
    "no motion": (
        change_motion(drop=r"motion_modules", add={"lora.weight": torch.ones(2)}),
        "no motion modules",
    ),
    "v1 motion": (
        change_motion(
            drop=r"\.pe$",
            add={
                "down_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed.pe": sinusoidal(24, 32)[None]
            },
        ),
        r"know 24 positions \(AnimateDiff v1\)",
    ),
}


@pytest.mark.parametrize("surprise", SURPRISES)
def test_it_fails_on_any_surprise(
    surprise: str, spec: SystemSpec, unet: UNet2DConditionModel, adapter: MotionAdapter, tmp_path: Path
) -> None:
    unet_path, motion_path = tmp_path / "unet.safetensors", tmp_path / "motion.safetensors"
    save_file(unet.state_dict(), unet_path)
    save_file(adapter.state_dict(), motion_path)
    plan_assembly(unet_path, motion_path, spec=spec)
    change, said = SURPRISES[surprise]
    change(unet_path, motion_path)
    with pytest.raises(CheckpointError, match=said):
        assemble(unet_path, motion_path, tmp_path / "out.safetensors", spec=spec)
    assert not (tmp_path / "out.safetensors").exists()
