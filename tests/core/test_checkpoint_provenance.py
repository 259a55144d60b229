"""A checkpoint says of its data and licences what was said to it, or that nothing was."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cyberhost_core import bundled
from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.checkpoints.file import load_checkpoint
from cyberhost_core.checkpoints.parts import save_vae
from cyberhost_core.checkpoints.provenance import of_data, of_weights
from cyberhost_core.cli.main import OK, main
from cyberhost_core.data.manifest import ManifestEntry, licences, read_manifest, write_manifest
from cyberhost_core.data.store import PreparedVideos, write_index
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.recipes.recipe import Recipe
from cyberhost_core.training.recipes.writing import resolved_text
from cyberhost_core.training.stage import StageConfig

SAID = {"data": "3 clips of noise", "licence": "CC0"}


@pytest.fixture
def packed(small_spec: SystemSpec, make_store: Callable, tmp_path: Path) -> Callable[..., dict]:
    """Train two stages by the commands, each on a store that says something or nothing, then pack."""
    store: PreparedVideos = make_store(small_spec)
    stage = StageConfig(name="video", frames=3, steps=1, precision="no")
    recipe = Recipe(system=small_spec, image_system=small_spec, image=stage, video=stage)
    (tmp_path / "small.yaml").write_text(resolved_text(recipe), encoding="utf-8")
    save_vae(tmp_path / "vae", TinyVAE(TinyVAEConfig(latent_channels=4, encoder_widths=(8, 8))))
    torch.manual_seed(0)
    save_file(SystemModel(small_spec).state_dict(), tmp_path / "first.safetensors")

    def run(*words: object) -> None:
        assert main(list(map(str, words))) == OK

    def packed(first: dict[str, str], second: dict[str, str], *options: str) -> dict:
        last = tmp_path / "first.safetensors"
        for said, out in ((first, "one"), (second, "two")):
            write_index(store.folder, store.index.derive(**said))
            run(
                "train",
                "video",
                store.folder,
                tmp_path / out,
                "--recipe",
                tmp_path / "small.yaml",
                "--from",
                last,
            )
            last = tmp_path / out / "model.safetensors"
        out, vae = tmp_path / "out.safetensors", tmp_path / "vae"
        run(
            "train",
            "pack",
            last,
            out,
            "--vae",
            vae,
            "--speech",
            bundled.CHECKPOINT,
            *options,
        )
        whole = load_checkpoint(out)
        return {"licence": whole.licence, **whole.training}

    return packed


def test_words_of_every_store_and_file_on_the_way_are_kept(packed: Callable) -> None:
    found = packed(SAID, {"data": "the same again", "licence": ""})
    assert found["data"] == "store: the same again; store: 3 clips of noise"
    assert found["licence"] == "store: not stated; store: CC0; first.safetensors: not stated"


def test_who_packs_may_choose_the_terms_but_not_what_others_said(packed: Callable) -> None:
    found = packed(SAID, SAID, "--licence", "Apache-2.0")
    assert found["licence"] == "Apache-2.0"
    assert found["licences"] == ["store: CC0", "first.safetensors: not stated"]


def test_a_whole_checkpoint_is_asked_for_its_licence_and_data() -> None:
    said = of_weights(bundled.CHECKPOINT)
    assert said.licences == ("tiny.safetensors: Apache-2.0",)
    (data,) = said.data
    assert data.startswith("tiny.safetensors: ") and "puppets" in data
    twice = of_data("store", data="", licence="").joined(said).joined(said)
    assert twice.data == ("store: not stated", data)


def test_a_manifest_counts_the_terms_of_its_lines(tmp_path: Path) -> None:
    for name in ("a.mp4", "hands", "points"):
        (tmp_path / name).touch()
    entry = ManifestEntry(video="a.mp4", hands="hands", keypoints="points")

    def said(*terms: str | None) -> str:
        write_manifest(tmp_path / "m.jsonl", [entry.derive(licence=term) for term in terms])
        return licences(read_manifest(tmp_path / "m.jsonl"))

    assert said(None, None) == ""
    assert said("CC0", None, "CC0") == "CC0 (2 clips), not stated (1 clip)"
