"""Public models become ours: every name of every published file accounted for, every surprise an error."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cyberhost_core.checkpoints.accounting import Report, UnaccountedWeightsError
from cyberhost_core.checkpoints.file import load_checkpoint
from cyberhost_core.checkpoints.peers import KINDS, convert_peer, plan_peer
from cyberhost_core.errors import CheckpointError
from cyberhost_core.guidance.dual import DualGuidance
from cyberhost_core.systems.public import PEERS, PeerConfig

from .weight_files import is_position, parts_of, peer_shapes, random_weights, shrunk, write_sparse

SMALL = PeerConfig(norm_groups=8, motion_norm_groups=8)
MAPS = {"echomimic-v2": "pose_encoder", "hallo": "face_locator", "animate-anyone": "pose_guider"}

# Hand-written from the projects' classes and our own: a name of every rule there is -> what it must become.
RENAMED = {
    "echomimic-v2": {
        "denoising_unet.conv_in.weight": "denoiser.conv_in.weight",
        "denoising_unet.down_blocks.1.attentions.0.transformer_blocks.0.norm2.bias": (
            "denoiser.down_blocks.1.attentions.0.transformer_blocks.0.norm_audio.bias"
        ),
        "denoising_unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0.bias": (
            "denoiser.mid_block.attentions.0.transformer_blocks.0.attn_audio.to_out.0.bias"
        ),
        "denoising_unet.up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj.weight": (
            "denoiser.up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj.weight"
        ),
        "reference_unet.down_blocks.0.downsamplers.0.conv.weight": (
            "reference_net.down_blocks.0.downsamplers.0.conv.weight"
        ),
        "pose_encoder.blocks.3.weight": "movement_encoder.blocks.3.weight",
        "pose_encoder.conv_out.bias": "movement_encoder.conv_out.bias",
        "denoising_unet.up_blocks.0.motion_modules.2.temporal_transformer.transformer_blocks.0"
        ".attention_blocks.1.to_k.weight": (
            "denoiser.up_blocks.0.motion_modules.2.transformer_blocks.0.attn2.to_k.weight"
        ),
    },
    "hallo": {
        "denoising_unet.down_blocks.2.audio_modules.1.transformer_blocks.0.attn2_2.to_v.weight": (
            "denoiser.down_blocks.2.audio_modules.1.transformer_blocks.0.audio_attns.2.to_v.weight"
        ),
        "denoising_unet.mid_block.audio_modules.0.transformer_blocks.0.zero_conv_full.weight": (
            "denoiser.mid_block.audio_modules.0.transformer_blocks.0.audio_gates.0.weight"
        ),
        "denoising_unet.up_blocks.1.audio_modules.0.transformer_blocks.0.zero_conv_face.bias": (
            "denoiser.up_blocks.1.audio_modules.0.transformer_blocks.0.audio_gates.1.bias"
        ),
        "denoising_unet.up_blocks.1.audio_modules.0.transformer_blocks.0.zero_conv_lip.weight": (
            "denoiser.up_blocks.1.audio_modules.0.transformer_blocks.0.audio_gates.2.weight"
        ),
        "denoising_unet.up_blocks.3.audio_modules.1.proj_in.weight": (
            "denoiser.up_blocks.3.audio_modules.1.proj_in.weight"
        ),
        "denoising_unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight": (
            "denoiser.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"
        ),
        "denoising_unet.mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.norms.0.bias": (
            "denoiser.mid_block.motion_modules.0.transformer_blocks.0.norm1.bias"
        ),
        "face_locator.conv_in.weight": "movement_encoder.conv_in.weight",
        "imageproj.proj.weight": "image_projection.proj.weight",
        "audioproj.proj3.bias": "audio_projection.proj3.bias",
    },
    "animate-anyone": {
        "reference_unet.up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_q.weight": (
            "reference_net.up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_q.weight"
        ),
        "denoising_unet.down_blocks.3.motion_modules.1.temporal_transformer.proj_out.weight": (
            "denoiser.down_blocks.3.motion_modules.1.proj_out.weight"
        ),
        "denoising_unet.down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0"
        ".attention_blocks.0.to_out.0.bias": (
            "denoiser.down_blocks.0.motion_modules.0.transformer_blocks.0.attn1.to_out.0.bias"
        ),
        "denoising_unet.down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0"
        ".ff_norm.weight": "denoiser.down_blocks.0.motion_modules.0.transformer_blocks.0.norm3.weight",
        "pose_guider.blocks.5.bias": "movement_encoder.blocks.5.bias",
    },
}
DROPPED = {"echomimic-v2": 42, "hallo": 5 * 28 + 16 * 2, "animate-anyone": 42}  # 28 weights per idle module


def account(report: Report) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Everything matched, their name -> ours; everything dropped, reason -> their names."""
    matched, dropped = {}, {}
    for group in report.groups.values():
        assert not group.missing
        assert not group.unexpected
        assert not group.initialised
        matched |= {origin.split(": ")[1]: ours for ours, origin in group.matched.items()}
        for reason, names in group.dropped.items():
            dropped.setdefault(reason, []).extend(name.split(": ")[1] for name in names)
    return matched, dropped


@pytest.fixture
def weights() -> Callable[[str], dict[str, Tensor]]:
    return lambda kind: random_weights(shrunk(peer_shapes(kind)))


def save(weights: dict[str, Tensor], path: Path) -> Path:
    save_file(weights, path)
    return path


@pytest.mark.parametrize("kind", PEERS)
def test_every_name_of_the_published_files_is_accounted_for_at_full_size(kind: str, tmp_path: Path) -> None:
    shapes = peer_shapes(kind)
    plan = plan_peer(kind, [write_sparse(tmp_path / "all.safetensors", shapes)])
    matched, dropped = account(plan.report)
    assert sorted([*matched, *(name for names in dropped.values() for name in names)]) == sorted(shapes)
    assert len(set(matched.values())) == len(matched), "no two of their names become one of ours"
    assert sum(map(len, dropped.values())) == DROPPED[kind]
    for reason, names in dropped.items():
        if reason.startswith("sinusoids"):
            assert all(map(is_position, names))
        else:
            assert reason.startswith("never run by the project's own inference")
            assert kind == "hallo"
            assert all(
                re.search(r"\.(down_blocks\.3|up_blocks\.0)\.motion_modules\.", name) for name in names
            )
    assert plan.spec.unet.channels == (320, 640, 1280, 1280)
    assert plan.spec.unet.resnets_per_stage == 2


@pytest.mark.parametrize("kind", PEERS)
def test_names_become_what_they_should(kind: str, tmp_path: Path) -> None:
    matched, _ = account(
        plan_peer(kind, [write_sparse(tmp_path / "a.safetensors", peer_shapes(kind))]).report
    )
    assert {name: matched[name] for name in RENAMED[kind]} == RENAMED[kind]


@pytest.mark.parametrize("kind", PEERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_converted_model_loads_and_every_value_is_that_of_its_origin(
    kind: str, dtype: torch.dtype, weights: Callable, tmp_path: Path
) -> None:
    given, out = weights(kind), tmp_path / "out.safetensors"
    report = convert_peer(kind, [save(given, tmp_path / "all.safetensors")], out, config=SMALL, dtype=dtype)
    matched, _ = account(report)
    stored = load_file(out)
    assert stored.keys() == set(matched.values())
    for name, ours in matched.items():
        assert stored[ours].dtype == dtype
        assert torch.equal(stored[ours].flatten(), given[name].to(dtype).flatten()), name
    loaded = load_checkpoint(out)
    assert loaded.spec.name == kind
    assert loaded.model.state_dict().keys() == stored.keys()
    assert report.bytes == out.stat().st_size


@pytest.mark.parametrize("kind", PEERS)
def test_the_file_says_where_it_comes_from_and_under_which_licence(
    kind: str, weights: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    convert_peer(kind, [save(weights(kind), tmp_path / "all.safetensors")], out, config=SMALL)
    with safe_open(out, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["licence"] == KINDS[kind].licence
    assert json.loads(metadata["sources"]) == {"code": KINDS[kind].code, "weights": KINDS[kind].weights}
    assert load_checkpoint(out).licence == KINDS[kind].licence


@pytest.mark.parametrize("form", ["pickle", "older pickle", "safetensors", "data parallel"])
@pytest.mark.parametrize("kind", ["echomimic-v2", pytest.param("animate-anyone", marks=pytest.mark.slow)])
def test_a_file_per_part_gives_the_same_bytes_as_one_file(
    kind: str, form: str, weights: Callable, tmp_path: Path
) -> None:
    given, folder = weights(kind), tmp_path / "download"
    folder.mkdir()
    (folder / "README.md").write_text("not weights", encoding="utf-8")
    for stem, part in parts_of(given, maps=MAPS[kind]).items():
        if form == "safetensors":
            save(part, folder / f"{stem}.safetensors")
        elif form == "data parallel":
            torch.save({f"module.{name}": value for name, value in part.items()}, folder / f"{stem}.pth")
        else:
            zipped = form == "pickle"
            torch.save(part, folder / f"{stem}.pth", _use_new_zipfile_serialization=zipped)
    one, many, named = (tmp_path / f"{name}.safetensors" for name in ("one", "many", "named"))
    convert_peer(kind, [save(given, tmp_path / "all.safetensors")], one, config=SMALL)
    report = convert_peer(kind, [folder], many, config=SMALL)
    convert_peer(kind, sorted(folder.glob("*.[ps][ta]*"), reverse=True), named, config=SMALL)
    assert one.read_bytes() == many.read_bytes() == named.read_bytes()
    assert any("read whole" in note for note in report.notes) == (form == "older pickle")


def test_what_the_denoisers_own_file_says_of_its_motion_modules_counts_more(
    weights: Callable, tmp_path: Path
) -> None:
    kind, name = "animate-anyone", "mid_block.motion_modules.0.temporal_transformer.proj_in.bias"
    parts = parts_of(weights(kind), maps=MAPS[kind])
    parts["denoising_unet"][name] = torch.full_like(parts["motion_module"][name], 7.0)
    files = [save(part, tmp_path / f"{stem}.safetensors") for stem, part in parts.items()]
    for order in (files, files[::-1]):
        report = convert_peer(kind, order, tmp_path / "out.safetensors", config=SMALL, dtype=torch.float32)
        stored = load_file(tmp_path / "out.safetensors")
        assert (stored["denoiser.mid_block.motion_modules.0.proj_in.bias"] == 7).all()
        dropped = report.groups["denoiser.motion_modules"].dropped
        assert dropped["denoising_unet.safetensors gives it, too, and counts"] == [
            f"motion_module.safetensors: {name}"
        ]


def test_accelerated_files_are_taken_when_asked_for(weights: Callable, tmp_path: Path) -> None:
    kind, out = "echomimic-v2", tmp_path / "out.safetensors"
    folder = tmp_path / "download"
    folder.mkdir()
    for stem, part in parts_of(weights(kind), maps=MAPS[kind]).items():
        save(part, folder / f"{stem}.safetensors")
    with pytest.raises(CheckpointError, match="no accelerated file"):
        convert_peer(kind, [folder], out, config=SMALL.derive(accelerated=True))
    faster = parts_of({name: value + 1 for name, value in weights(kind).items()}, maps=MAPS[kind])
    for stem in ("denoising_unet", "motion_module"):
        part = {name: value - float(is_position(name)) for name, value in faster[stem].items()}
        save(part, folder / f"{stem}_acc.safetensors")
    stored = {}
    for accelerated in (False, True):
        convert_peer(kind, [folder], out, config=SMALL.derive(accelerated=accelerated), dtype=torch.float32)
        stored[accelerated] = load_file(out)
        spec = load_checkpoint(out).spec
        assert spec.schedule.steps == (6 if accelerated else 30)
        scale = 1.0 if accelerated else 2.5
        assert spec.guidance == DualGuidance(reference_scale=scale, audio_scale=scale)
    changed = Counter(
        name.split(".")[0]
        for name in stored[True]
        if not torch.equal(stored[True][name], stored[False][name])
    )
    assert changed.keys() == {"denoiser"}
    assert changed["denoiser"] == sum(name.startswith("denoiser.") for name in stored[True])


@pytest.mark.parametrize("length", [24, 32])
def test_positions_are_those_of_the_files(length: int, tmp_path: Path) -> None:
    shapes = {
        name: (1, length, shape[2]) if is_position(name) else shape
        for name, shape in shrunk(peer_shapes("animate-anyone")).items()
    }
    path = save(random_weights(shapes), tmp_path / "all.safetensors")
    spec = plan_peer("animate-anyone", [path], config=SMALL).spec
    assert {layer.positions for layer in spec.unet.layers if layer.kind == "motion_module"} == {length}
    without = {name: value for name, value in load_file(path).items() if not is_position(name)}
    spec = plan_peer("animate-anyone", [save(without, path)], config=SMALL.derive(positions=17)).spec
    assert {layer.positions for layer in spec.unet.layers if layer.kind == "motion_module"} == {17}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_positions_that_are_no_sinusoids_are_refused(
    dtype: torch.dtype, weights: Callable, tmp_path: Path
) -> None:
    given = {name: value.to(dtype) for name, value in weights("echomimic-v2").items()}
    path = tmp_path / "all.safetensors"
    plan_peer("echomimic-v2", [save(given, path)], config=SMALL)
    name = next(filter(is_position, given))
    given[name][0, 5, 3] += 0.05
    with pytest.raises(CheckpointError, match="are no sinusoids"):
        plan_peer("echomimic-v2", [save(given, path)], config=SMALL)


@pytest.mark.parametrize("kind", PEERS)
@pytest.mark.parametrize("asked", PEERS)
def test_another_models_files_are_recognised_and_the_right_command_named(
    kind: str, asked: str, weights: Callable, tmp_path: Path
) -> None:
    path = save(weights(kind), tmp_path / "all.safetensors")
    if kind == asked:
        plan_peer(asked, [path], config=SMALL)
        return
    with pytest.raises(CheckpointError, match=rf"weights of {kind}, .* use 'cyberhost convert {kind}'"):
        plan_peer(asked, [path], config=SMALL)


SURPRISES = {
    "missing": lambda given: given.pop("reference_unet.mid_block.resnets.1.conv2.bias"),
    "unexpected": lambda given: given.update({"denoising_unet.down_blocks.0.foo.weight": torch.ones(2)}),
    "unexpected part": lambda given: given.update({"optimizer.step": torch.ones(2)}),
    "another shape": lambda given: given.update(
        {"denoising_unet.up_blocks.2.resnets.0.conv1.bias": torch.ones(3)}
    ),
}


@pytest.mark.parametrize("surprise", SURPRISES)
@pytest.mark.parametrize("kind", PEERS)
def test_one_surprise_is_enough_to_refuse_and_is_named(
    kind: str, surprise: str, weights: Callable, tmp_path: Path
) -> None:
    given, out = weights(kind), tmp_path / "out.safetensors"
    SURPRISES[surprise](given)
    with pytest.raises(UnaccountedWeightsError) as caught:
        convert_peer(kind, [save(given, tmp_path / "all.safetensors")], out, config=SMALL)
    assert not out.exists()
    assert len(caught.value.report.surprises) == 1
    named = {
        "missing": "missing 'reference_net.mid_block.resnets.1.conv2.bias'",
        "unexpected": "unexpected 'all.safetensors: denoising_unet.down_blocks.0.foo.weight'",
        "unexpected part": "unexpected 'all.safetensors: optimizer.step'",
        "another shape": "denoising_unet.up_blocks.2.resnets.0.conv1.bias of shape [3] instead of [32]'",
    }
    assert named[surprise] in str(caught.value)


def test_unexpected_weights_are_left_out_when_asked_to_and_written_down(
    weights: Callable, tmp_path: Path
) -> None:
    given = weights("hallo") | {"io.output": torch.ones(2), "io.latents": torch.ones(3)}
    path = save(given, tmp_path / "all.safetensors")
    with pytest.raises(UnaccountedWeightsError, match="2 weights of hallo"):
        plan_peer("hallo", [path], config=SMALL)
    report = plan_peer("hallo", [path], config=SMALL, drop=["io."]).report
    assert sorted(report.groups["other"].dropped["left out as asked"]) == [
        "all.safetensors: io.latents",
        "all.safetensors: io.output",
    ]


def test_a_missing_part_is_named(weights: Callable, tmp_path: Path) -> None:
    kind = "echomimic-v2"
    for left_out in ("denoising_unet", "motion_module", "reference_unet", "pose_encoder"):
        parts = parts_of(weights(kind), maps=MAPS[kind])
        del parts[left_out]
        files = [save(part, tmp_path / f"{stem}.safetensors") for stem, part in parts.items()]
        with pytest.raises(CheckpointError) as caught:
            plan_peer(kind, files, config=SMALL)
        part = {
            "denoising_unet": "denoiser",
            "motion_module": "motion_modules",
            "pose_encoder": "movement_enc",
        }
        assert part.get(left_out, "reference_net") in str(caught.value)


def test_two_files_for_one_part_are_refused(weights: Callable, tmp_path: Path) -> None:
    parts = parts_of(weights("animate-anyone"), maps="pose_guider")
    files = [save(parts["reference_unet"], tmp_path / f"{name}.safetensors") for name in ("a", "b")]
    with pytest.raises(CheckpointError, match=r"a\.safetensors and b\.safetensors hold the same part"):
        plan_peer("animate-anyone", files, config=SMALL)


def test_a_file_of_something_else_is_refused_alone_and_left_alone_in_a_folder(
    weights: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "download"
    folder.mkdir()
    other = save({"layer.weight": torch.ones(2)}, folder / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"other\.safetensors is no part of such a model"):
        plan_peer("hallo", [other], config=SMALL)
    with pytest.raises(CheckpointError, match="No weights were found in"):
        plan_peer("hallo", [folder], config=SMALL)
    save(weights("hallo"), folder / "net.safetensors")
    notes = plan_peer("hallo", [folder], config=SMALL).report.notes
    assert notes == ["other.safetensors is no part of this model and was left alone."]


def test_widths_that_no_such_model_has_are_refused_in_one_sentence(weights: Callable, tmp_path: Path) -> None:
    path = save(weights("animate-anyone"), tmp_path / "all.safetensors")  # made for 8 norm groups
    with pytest.raises(CheckpointError, match="sizes of these weights make no animate-anyone"):
        plan_peer("animate-anyone", [path])


def test_what_is_to_be_converted_is_never_overwritten(weights: Callable, tmp_path: Path) -> None:
    path = save(weights("hallo"), tmp_path / "net.safetensors")
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="one of the files to be converted"):
        convert_peer("hallo", [path], path, config=SMALL)
    with pytest.raises(CheckpointError, match=r"does not end in \.safetensors"):
        convert_peer("hallo", [path], tmp_path / "out.pth", config=SMALL)
    assert path.read_bytes() == before
