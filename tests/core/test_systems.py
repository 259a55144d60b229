"""Systems as values: each ablation removes exactly its part, and every spec survives JSON."""

import json
import re
from collections.abc import Callable

import pytest
import torch

from cyberhost_core.backbone.audio_transformer import AudioTransformerConfig
from cyberhost_core.backbone.region_attention import RegionAttentionConfig
from cyberhost_core.backbone.unet import sites
from cyberhost_core.conditioners.conditioner import Conditioner
from cyberhost_core.conditioners.region_identity import RegionIdentity
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.errors import ConfigError
from cyberhost_core.systems import named
from cyberhost_core.systems.cyberhost import ABLATIONS, SYSTEMS, ram_at, tiny
from cyberhost_core.systems.model import SystemModel, on_meta
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.first_stages import basic_modules

RAM = r"denoiser\..*\.(face|hands)_attentions\.\d+\.attentions"
# What table 1 and table 5 remove, as patterns of parameter names; every pattern must match something.
REMOVED = {
    "no-latents-bank": [rf"{RAM}\.latent\..*"],
    "no-spatial-latents": [rf"{RAM}\.latent\.(banks|to_k|to_v)\.spatial\..*"],
    "no-temporal-latents": [rf"{RAM}\.latent\.(banks|to_k|to_v)\.temporal\..*"],
    "unified-latents": [rf"{RAM}\.latent\.(banks|to_k|to_v)\.(spatial|temporal)\..*"],
    "orthonormal-latents": [],
    "placeless-latents": [],
    "no-identity-descriptor": [rf"{RAM}\.identity\..*", r"hand_encoder\..*", r"face_projection\..*"],
    "no-hand-ram": [r"denoiser\..*\.hands_attentions\..*", r"hand_encoder\..*"],
    "no-face-ram": [r"denoiser\..*\.face_attentions\..*", r"face_projection\..*"],
    "no-movement-map": [r"movement_encoder\..*"],
    "no-hand-clarity": [r"clarity_embedding\..*"],
    "no-pose-aligned-reference": [r"pose_encoder\..*"],
}
ADDED = {"unified-latents": rf"{RAM}\.latent\.(banks|to_k|to_v)\.unified\..*"}


def shapes(spec: SystemSpec) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in on_meta(spec).state_dict().items()}


def test_every_ablation_of_the_tables_is_stated_here() -> None:
    assert ABLATIONS.keys() == REMOVED.keys()


@pytest.mark.parametrize("name", REMOVED)
def test_an_ablation_removes_its_part_and_nothing_else(name: str, small_spec: SystemSpec) -> None:
    whole, ablated = shapes(small_spec), shapes(ABLATIONS[name](small_spec))
    removed, added = whole.keys() - ablated.keys(), ablated.keys() - whole.keys()
    should_go = {key for key in whole if any(re.fullmatch(pattern, key) for pattern in REMOVED[name])}
    assert removed == should_go
    for pattern in REMOVED[name]:
        assert any(re.fullmatch(pattern, key) for key in removed), f"{pattern} matches nothing"
    assert all(re.fullmatch(ADDED.get(name, ""), key) for key in added)
    assert bool(added) == (name in ADDED)
    assert all(whole[key] == ablated[key] for key in whole.keys() & ablated.keys())


@pytest.mark.parametrize("name", REMOVED)
def test_an_ablated_system_still_predicts(
    name: str, small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(ABLATIONS[name](small_spec)))
    out = told.predict(told.conditions(having=(True, False), motion=True))
    assert out.shape == told.latents.flatten(0, 1).shape
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("name", ["no-movement-map", "no-hand-clarity", "no-pose-aligned-reference"])
def test_a_fresh_condition_changes_nothing(
    name: str, small_spec: SystemSpec, fill: Callable, clips: Callable
) -> None:
    torch.manual_seed(0)
    whole = SystemModel(small_spec)
    fill(whole.denoiser)
    fill(whole.reference_net)
    lacking = SystemModel(ABLATIONS[name](small_spec))
    lacking.load_state_dict(whole.state_dict(), strict=False)
    outputs = []
    for model in (whole, lacking):
        told = clips(model.eval())
        with torch.no_grad():
            outputs.append(told.predict(told.conditions()))
    assert torch.equal(*outputs)


def test_a_unified_bank_holds_every_pair_of_a_spatial_and_a_temporal_vector(small_spec: SystemSpec) -> None:
    found = {
        s for key, s in shapes(ABLATIONS["unified-latents"](small_spec)).items() if key.endswith(".latents")
    }
    assert found == {(3, 6, 16)}


def test_rams_stay_only_at_the_sites_that_are_named(small_spec: SystemSpec, build: Callable) -> None:
    names = [site.name for site in sites(small_spec.unet)]
    assert names == ["down_blocks.0.0", "mid_block.0", "up_blocks.1.0", "up_blocks.1.1"]
    kept = ("mid_block.0", "up_blocks.1.1")
    found = {key for key in shapes(ram_at(small_spec, kept)) if "_attentions." in key}
    places = {re.sub(r"denoiser\.(.*)\.(face|hands)_attentions\.(\d+)\..*", r"\1.\3", key) for key in found}
    assert places == set(kept)


def test_a_system_with_rams_at_some_sites_still_predicts(
    small_spec: SystemSpec, build: Callable, clips: Callable
) -> None:
    told = clips(build(ram_at(small_spec, ("up_blocks.1.1",))))
    assert torch.isfinite(told.predict(told.conditions())).all()


def test_sites_are_those_at_which_a_system_builds_its_layers() -> None:
    for system in SYSTEMS.values():
        spec = system()
        built = {
            f"{name.rsplit('.', 2)[0]}.{name.rsplit('.', 1)[1]}"
            for name, _ in on_meta(spec).denoiser.named_modules()
            if re.fullmatch(r".*\.face_attentions\.\d+", name)
        }
        assert built == {site.name for site in sites(spec.unet)}


@pytest.mark.parametrize("name", named.SYSTEMS)
def test_a_spec_survives_json(name: str) -> None:
    spec = named.SYSTEMS[name]()
    assert SystemSpec.parse(spec.to_json()) == spec


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablated_spec_survives_json(name: str) -> None:
    spec = ABLATIONS[name](tiny())
    assert spec != tiny()
    assert SystemSpec.parse(spec.to_json()) == spec


def test_an_unknown_field_is_refused_with_its_name_and_what_to_do() -> None:
    told = json.loads(tiny().to_json())
    told["unet"]["colour"] = "blue"
    with pytest.raises(
        ConfigError, match=r"SystemSpec is not usable: unet\.colour: .*; use a file written by"
    ):
        SystemSpec.parse(json.dumps(told))


def test_an_unknown_kind_of_layer_is_refused() -> None:
    told = json.loads(tiny().to_json())
    told["unet"]["layers"][0]["kind"] = "telepathy"
    with pytest.raises(ConfigError, match=r"unet\.layers\.0"):
        SystemSpec.parse(json.dumps(told))


def test_a_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="the whole text"):
        SystemSpec.parse("{")


@pytest.mark.parametrize(
    ("left_out", "read"),
    [
        (Sound, "sound tokens"),
        (RegionIdentity, "identity tokens of the face and identity tokens of the hands"),
    ],
)
def test_a_system_whose_layers_read_what_no_conditioner_brings_is_refused(
    left_out: type[Conditioner], read: str, small_spec: SystemSpec
) -> None:
    with pytest.raises(ConfigError, match=f"'{small_spec.name}' read {read}, but no conditioner"):
        on_meta(small_spec.without(left_out))


def test_a_region_that_listens_needs_masks(small_spec: SystemSpec) -> None:
    listening = small_spec.unet.derive(layers=(*small_spec.unet.layers, AudioTransformerConfig()))
    with pytest.raises(ConfigError, match="read sound masks, but"):
        on_meta(small_spec.derive(unet=listening))


def test_deriving_checks_again(small_spec: SystemSpec) -> None:
    with pytest.raises(ValueError, match="height"):
        small_spec.derive(height="tall")


def test_the_image_stage_keeps_what_the_first_stage_trains(small_spec: SystemSpec) -> None:
    """Section 4.1: reference net, pose encoder and the basic modules of the denoiser."""
    whole, image = shapes(small_spec), shapes(basic_modules(small_spec))
    gone = r"denoiser\..*(motion_modules|_attentions|norm_audio|attn_audio)\..*|" + "|".join(
        rf"{part}\..*"
        for part in ("clarity_embedding", "audio_projection", "hand_encoder", "face_projection")
    )
    assert image.items() <= whole.items()
    assert whole.keys() - image.keys() == {key for key in whole if re.fullmatch(gone, key)}
    kept = {key.split(".")[0] for key in image}
    assert kept == {"denoiser", "reference_net", "movement_encoder", "pose_encoder"}


def test_every_region_of_a_system_has_an_identity_encoder_of_its_width() -> None:
    for system in SYSTEMS.values():
        spec = system()
        rams = [layer for layer in spec.unet.layers if isinstance(layer, RegionAttentionConfig)]
        (identity,) = spec.listed(RegionIdentity)
        assert {ram.region for ram in rams} == set(identity.regions)
        assert {ram.identity_dim for ram in rams} == {identity.token_dim}
