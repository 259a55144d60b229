"""Public models on footage of one's own: what they are trained with is what they are asked at inference.

a filmed puppet -> `prepare footage --for` a converted model of a tenth of the width -> store
    -> `train image`, `train video`, `train pack`, `generate`
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.checkpoints.file import open_checkpoint
from cyberhost_core.cli.main import OK, UNUSABLE, main
from cyberhost_core.conditioners.conditioner import TrackSize
from cyberhost_core.conditioners.sound import Sound as Heard
from cyberhost_core.controls.face_masks import face_box_map
from cyberhost_core.controls.hand_drawing import draw_peer_hands
from cyberhost_core.controls.skeleton_map import draw_skeleton
from cyberhost_core.data.store import PreparedVideos
from cyberhost_core.media.audio import Sound, read_sound
from cyberhost_core.media.probe import video_facts
from cyberhost_core.media.video import VideoWriter, read_frames
from cyberhost_core.pipeline.portrait import Portrait
from cyberhost_core.pipeline.talker import Talker, _Known
from cyberhost_core.puppets.world import HEIGHT, WIDTH
from cyberhost_core.sampling.portrait import portrait_inputs
from cyberhost_core.training.batches import BatchMaker, SamplingConfig

from .public_models import CLIP, GESTURE, converted, networks

KINDS = ("echomimic-v2", "hallo", "animate-anyone")
FPS = {"echomimic-v2": 24.0, "hallo": 25.0, "animate-anyone": 30.0}
FRAMES, CLIP_FRAMES = 14, 4


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SimpleNamespace]:
    """A store of one clip for a model, made with the commands; each once."""
    voice = read_sound(bundled.FOLDER / "speech" / "held_out_03.ogg")
    done: dict[str, SimpleNamespace] = {}

    def prepare(kind: str) -> SimpleNamespace:
        if kind in done:
            return done[kind]
        folder = tmp_path_factory.mktemp(kind)
        samples = round(FRAMES / FPS[kind] * voice.rate_hz)
        sound = Sound(voice.wave_CT[:, :samples], voice.rate_hz)
        (folder / "clips").mkdir()
        with VideoWriter(
            folder / "clips" / "one.mp4", fps=FPS[kind], height=128, width=96, sound=sound
        ) as writer:
            writer.write(read_frames(CLIP)[30 : 30 + FRAMES])
        assert main(["prepare", "manifest", str(folder / "clips"), "-q"]) == OK
        manifest = str(folder / "clips" / "manifest.jsonl")
        command = ["prepare", "footage", manifest, "--out", str(folder / "store")]
        command += ["--for", str(converted()[kind]), "--height", "128", "--width", "96", "-q", *beside(kind)]
        assert main(command) == OK
        done[kind] = SimpleNamespace(
            folder=folder, video=folder / "clips" / "one.mp4", videos=PreparedVideos(folder / "store")
        )
        return done[kind]

    return prepare


def beside(kind: str) -> list[str]:
    """What a model does not bring itself."""
    outside = networks(kind)
    return ["--clip-vision", str(outside.clip_vision), "--vae", str(outside.vae)] if outside.vae else []


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_takes_rate_and_hearing_from_the_model_that_it_is_for(kind: str, prepared: Callable) -> None:
    index = prepared(kind).videos.index
    assert index.fps == FPS[kind]
    assert index.hearing == {"echomimic-v2": "whisper", "hallo": "wav2vec2_stretched"}.get(kind, "nothing")


@pytest.mark.parametrize("kind", KINDS)
def test_training_reads_of_picture_sound_and_pose_what_inference_reads(kind: str, prepared: Callable) -> None:
    made = prepared(kind)
    talker, (video,) = Talker.load(converted()[kind], networks=networks(kind)), made.videos
    spec, frames_FYXC = talker.spec, read_frames(made.video)
    batch = BatchMaker(made.videos, spec, SamplingConfig(drop=(), drop_past=0), frames=CLIP_FRAMES, seed=0)[0]

    reference = int(video.reference_R[0])
    pose = video.pose[reference : reference + 1]
    portrait = Portrait(picture_YXC=frames_FYXC[reference], find=lambda _: pose)
    asked = portrait_inputs(
        spec, portrait.picture_YXC, _Known(talker, portrait), autoencoder=talker.autoencoder, floor_db=0.0
    )
    assert asked.keys() == batch.portrait.keys() >= {"latents"}
    for name, value in asked.items():
        torch.testing.assert_close(batch.portrait[name], value, atol=2e-3, rtol=2e-3)

    start = int(np.abs(video.latents_FCHW - batch.latents[0, 0].numpy()).mean(axis=(1, 2, 3)).argmin())
    span = slice(start, start + CLIP_FRAMES)
    for listened in spec.listed(Heard):
        size = TrackSize(system=spec.name, frames=FRAMES, height=HEIGHT, width=WIDTH)
        told = talker.heard(read_sound(made.video), fps=FPS[kind])
        wanted = listened.of_track(told, size)["audio"][span].float()
        torch.testing.assert_close(batch.drive["audio"][0], wanted, atol=0.02, rtol=0.02)
    hands, skeletons = (draw(video.pose[span]) for draw in (draw_peer_hands, draw_skeleton))
    expected = {"echomimic-v2": hands, "animate-anyone": skeletons}.get(kind, face_box_map(pose))
    assert expected.amax() > 0.5
    torch.testing.assert_close(batch.drive["maps"][0], expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_public_model_is_trained_further_and_makes_a_video(
    kind: str, prepared: Callable, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    made, start = prepared(kind), str(converted()[kind])
    small = ["--recipe", kind, "--steps", "1", "--set", "image.sampling.clips=1"]
    for stage in ("image", "video"):
        small += ["--set", f"{stage}.workers=0", "--set", f"{stage}.precision=no"]
    small += ["--set", f"video.frames={CLIP_FRAMES}"]
    store = str(made.folder / "store")
    assert main(["train", "image", store, str(tmp_path / "image"), "--from", start, *small]) == OK
    begun = str(tmp_path / "image" / "model.safetensors")
    command = ["train", "video", store, str(tmp_path / "video"), "--from", start, "--from", begun, *small]
    assert main(command) == OK
    weights = json.loads(capsys.readouterr().out.splitlines()[-1])["weights"]
    account = json.loads((tmp_path / "video" / "start.json").read_text())
    assert not any(group["initialised"] for group in account["groups"].values())
    out = tmp_path / "mine.safetensors"
    vae = str(networks(kind).vae or start)
    pack = ["train", "pack", weights, str(out), "--vae", vae, "--precision", "fp32"]
    if kind != "animate-anyone":
        assert main(pack) == UNUSABLE
        assert "hears, and no speech encoder was given; name the one" in capsys.readouterr().err
        pack += ["--speech", start]
    assert main(pack) == OK
    assert open_checkpoint(out).spec.name == open_checkpoint(converted()[kind]).spec.name
    drivers = {"echomimic-v2": ["--hands", str(GESTURE)], "animate-anyone": ["--video", str(made.video)]}
    command = ["generate", str(bundled.portraits()[0]), "-o", str(tmp_path / "a.mp4"), "-c", str(out)]
    command += ["--size", "64", "64", "--steps", "1", "-q", *drivers.get(kind, [])]
    if kind == "animate-anyone":
        command += ["--clip-vision", str(networks(kind).clip_vision)]
    else:
        command.insert(2, str(made.video))
    assert main(command) == OK
    assert video_facts(tmp_path / "a.mp4").has_sound
    assert read_frames(tmp_path / "a.mp4").std() > 1
