"""The whole way of a full-size system, at small width and by the commands alone: parents to a video.

convert assemble -> prepare manifest, footage -> train image -> train video -> train pack -> generate
"""

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors.torch import load_file
from torch import Tensor

from cyberhost_core import bundled
from cyberhost_core.checkpoints.file import load_checkpoint, open_checkpoint
from cyberhost_core.checkpoints.stable_diffusion import StableDiffusionVAE
from cyberhost_core.cli.main import OK, main
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.video import VideoWriter, read_frames
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import FPS, HEIGHT, WIDTH, render_video
from cyberhost_core.systems import cyberhost
from cyberhost_core.systems.named import SYSTEMS
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.batches import SamplingConfig
from cyberhost_core.training.first_stages import basic_modules
from cyberhost_core.training.recipes.recipe import Recipe
from cyberhost_core.training.recipes.writing import resolved_text
from cyberhost_core.training.stage import StageConfig
from cyberhost_core.units import SPEECH_RATE_HZ

from .small_parents import Parents, narrow, save_parents

NAME = "narrow"
WIDTHS = (64, 64, 128, 128)
FRAMES = 20  # of a clip: 12 with 4 motion frames before, and some to choose from
LICENCE = "CC BY 4.0, Puppet Theatre"
SPEAKS_SECS = 0.5


@dataclass(frozen=True)
class Road:
    """What lies along the way."""

    folder: Path
    said: dict[str, str]  # what a command told on stderr

    @property
    def start(self) -> Path:
        return self.folder / "start.safetensors"

    @property
    def packed(self) -> Path:
        return self.folder / "mine.safetensors"

    def weights(self, stage: str) -> dict[str, Tensor]:
        return load_file(self.folder / stage / "model.safetensors")

    def account(self, stage: str) -> dict[str, dict]:
        return json.loads((self.folder / stage / "start.json").read_text())["groups"]


def spec_of(parents: Parents) -> SystemSpec:
    small = narrow(
        cyberhost.paper(),
        widths=WIDTHS,
        groups=32,
        feature_dim=parents.feature_dim,
        height=HEIGHT,
        width=WIDTH,
    )
    return small.derive(name=NAME, schedule=small.schedule.derive(steps=2))


def recipe(spec: SystemSpec) -> Recipe:
    shared = {"steps": 2, "validate_every": 2, "learning_rate": 1e-3, "precision": "no"}
    sampling = SamplingConfig(clips=2)
    return Recipe(
        system=spec,
        image_system=basic_modules(spec),
        image=StageConfig(name="image", frames=1, sampling=sampling, **shared),
        video=StageConfig(name="video", frames=12, sampling=sampling, **shared),
    )


def film(folder: Path) -> Path:
    folder.mkdir()
    for number, seed in enumerate((1_000_014, 1_000_026)):
        utterance = bundled_utterances("held_out")[number]
        video = render_video(seed, utterance=utterance, performance_seed=number, frames=FRAMES)
        heard = Sound(video.wave_T[None], SPEECH_RATE_HZ)
        path = folder / f"clip{number}.mp4"
        with VideoWriter(path, fps=FPS, height=HEIGHT, width=WIDTH, sound=heard) as writer:
            writer.write(video.frames_FYXC)
    return folder


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Road:
    """Walk it all; systems are a table and recipes are files, so a narrow one takes part like any other."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("road")
    parents, clips = save_parents(folder / "parents", widths=WIDTHS), film(folder / "clips")
    spec, said = spec_of(parents), dict[str, str]()
    (folder / "small.yaml").write_text(resolved_text(recipe(spec)), encoding="utf-8")

    def run(*words: object) -> None:
        given = [str(folder / word[1:]) if str(word).startswith("@") else str(word) for word in words]
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(SYSTEMS, NAME, lambda: spec)
            told: list[str] = []
            patch.setattr("typer.echo", lambda text="", **_: told.append(str(text)))
            assert main(given) == OK, given
        said[" ".join(given[:2])] = "\n".join(told)

    run("convert", "assemble", "--system", NAME, "--unet", parents.unet, "--motion", parents.motion,
        "--vae", parents.vae, "--audio-encoder", parents.speech, "@start.safetensors", "-q")  # fmt: skip
    networks = ("--vae", "@start.safetensors", "--speech", "@start.safetensors")
    run("prepare", "manifest", clips, "--licence", LICENCE, "-q")
    run("prepare", "footage", "@clips/manifest.jsonl", "--out", "@store", *networks, "-q")
    watched = ("--recipe", "@small.yaml", "--held-out", "@store", "--vae", "@start.safetensors")
    run("train", "image", "@store", "@image", "--from", "@start.safetensors", *watched)
    run("train", "video", "@store", "@video", "--from", "@image/model.safetensors",
        "--from", "@start.safetensors", *watched)  # fmt: skip
    run("train", "pack", "@video/model.safetensors", "@mine.safetensors", *networks)
    return Road(folder, said)


@pytest.mark.slow
def test_stage_1_starts_from_stable_diffusion_and_learns(road: Road) -> None:
    start, learned = open_checkpoint(road.start).system, road.weights("image")
    assert learned.keys() < start.keys()
    conv = "denoiser.conv_in.weight"
    moved = (learned[conv] - start[conv].float()).abs()
    assert 0 < float(moved.max()) < 0.01, "two small steps away from its parent"
    account = road.account("image")
    assert sum(len(group["matched"]) for group in account.values()) == len(learned)
    assert not any(group["initialised"] for group in account.values())
    left = {name for group in account.values() for names in group["dropped"].values() for name in names}
    assert len(left) == len(start) - len(learned)
    assert all(group["dropped"].keys() <= {"this system has no such weight"} for group in account.values())


@pytest.mark.slow
def test_stage_2_has_stage_1s_weights_and_animatediffs_motion_modules(road: Road) -> None:
    account, image = road.account("video"), road.weights("image")
    origins = {ours: origin for group in account.values() for ours, origin in group["matched"].items()}
    assert {name for name, origin in origins.items() if "image/model.safetensors: " in origin} == image.keys()
    motion = [name for name in origins if ".motion_modules." in name]
    assert len(motion) > 100
    assert all("start.safetensors: " in origins[name] for name in motion)
    assert origins.keys() == road.weights("video").keys(), "nothing started at random"
    table = road.said["train video"]
    assert "from 1" in table.splitlines()[0] and "from 2" in table.splitlines()[0]
    row = next(line for line in table.splitlines() if line.startswith("denoiser.motion_modules"))
    assert row.split()[1:] == ["0", str(len(motion)), "0", "0"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["image", "video"])
def test_validation_shows_pictures_of_stable_diffusions_autoencoder(road: Road, stage: str) -> None:
    (sheet,) = (road.folder / stage / "sheets").glob("clip-*.png")
    assert sheet.stat().st_size > 1000


@pytest.mark.slow
def test_the_packed_file_is_what_was_learned_and_says_what_was_said(road: Road) -> None:
    packed, learned = load_file(road.packed), road.weights("video")
    for name, value in learned.items():
        assert torch.equal(packed[name], value.half()), name
    whole, parent = load_checkpoint(road.packed), load_file(road.start)
    assert isinstance(whole.vae, StableDiffusionVAE)
    of_parent = {name for name in parent if name.startswith(("vae.", "audio_encoder."))}
    assert all(torch.equal(packed[name], parent[name]) for name in of_parent)
    assert packed.keys() == learned.keys() | of_parent
    assert f"store: {LICENCE} (2 clips)" in whole.licence
    assert "start.safetensors: not stated by the files; Stable Diffusion 1.5's own weights" in whole.licence
    assert whole.training["data"] == "store: 2 clips of footage, listed in manifest.jsonl"


@pytest.mark.slow
def test_it_makes_a_video(road: Road, tmp_path: Path) -> None:
    sound = read_sound(bundled.FOLDER / "speech" / "held_out_03.ogg")
    voice, out = tmp_path / "voice.wav", tmp_path / "talk.mp4"
    soundfile.write(voice, sound.wave_CT[:, : round(SPEAKS_SECS * sound.rate_hz)].T, sound.rate_hz)
    words = ("generate", bundled.portraits()[0], voice, "-o", out, "--checkpoint", road.packed, "-q")
    assert main([*map(str, words), "--device", "cpu"]) == OK
    frames = read_frames(out)
    assert frames.shape == (math.ceil(SPEAKS_SECS * FPS), HEIGHT, WIDTH, 3)
    assert frames.std() > 1
    assert all((one != two).any() for one, two in pairwise(frames)), "it moves"
