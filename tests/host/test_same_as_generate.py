"""The command line runs every system that the nodes run, and to the same latents for the same seed.

Each graph is the shipped workflow of its name, short: the nodes that it connects, with few steps. The core's
side is what `cyberhost generate` calls, with the options that it would build.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cyberhost_core import bundled
from cyberhost_core.checkpoints.parts import pack_checkpoint
from cyberhost_core.media.audio import Sound
from cyberhost_core.media.images import read_image
from cyberhost_core.pipeline.options import Driving, GenerateOptions, Networks
from cyberhost_core.pipeline.talker import Talker
from cyberhost_core.systems import cyberhost
from cyberhost_core.systems.model import on_meta

from ..core.small_parents import narrow, save_parents
from .inside import picture_and_voice
from .latents import latents
from .prompts import TINY_UNIFIED, Prompt, node, segment
from .public_prompts import SEED, STEPS, animate_anyone, conditions, echomimic_v2, hallo
from .public_weights import random_weights
from .server import Client
from .users_files import CLIP_VISION, place, write_media, write_weights

pytestmark = pytest.mark.host

GESTURE = bundled.FOLDER / "hand-tracks" / "puppet_gesture.json"
PICTURE = bundled.FOLDER / "portraits" / "puppet_0.png"
SIZE = (128, 96)  # height, width of a bundled portrait
SIGMAS = node("BasicScheduler", model=["load", 0], scheduler="simple", steps=STEPS, denoise=1.0)
NOISE = node("RandomNoise", noise_seed=SEED)
PUPPETS = Networks(pose_detector=bundled.POSE_NETWORK, face_network=bundled.FACE_NETWORK)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_media(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow CyberHost of random weights with the parents' autoencoder and speech encoder."""
    folder = tmp_path_factory.mktemp("narrow")
    widths = (64, 64, 128, 128)
    parents = save_parents(folder, widths=widths)
    spec = narrow(
        cyberhost.paper(),
        widths=widths,
        groups=32,
        feature_dim=parents.feature_dim,
        height=SIZE[0],
        width=SIZE[1],
    )
    spec = spec.derive(schedule=spec.schedule.derive(spacing="trailing"))  # as ComfyUI's 'simple'
    shapes = {name: tuple(value.shape) for name, value in on_meta(spec).state_dict().items()}
    save_file(random_weights(shapes), folder / "model.safetensors")
    out = folder / "narrow.safetensors"
    pack_checkpoint(
        out,
        spec=spec,
        weights=folder / "model.safetensors",
        vae=parents.vae,
        speech=parents.speech,
        licence="",
        training={},
        precision="fp32",
    )
    return out


@pytest.fixture(scope="module")
def filled(host: Client, public: dict[str, Path], media: list[Path], weights: dict[str, Path]) -> Client:
    """A host with the public models and a user's files."""
    place(host, media, weights)
    return host


def voice() -> Sound:
    return picture_and_voice()[1]


def generated(
    checkpoint: Path,
    sound: Sound | None,
    *,
    fps: float | None = None,
    driving: Driving | None = None,
    networks: Networks = PUPPETS,
) -> torch.Tensor:
    """What `cyberhost generate` samples, in the scale of a LATENT."""
    talker = Talker.load(checkpoint, networks=networks)
    options = GenerateOptions(
        seed=SEED, steps=STEPS, fps=fps, driving=driving or Driving(), size=SIZE, sampler="ddim"
    )
    portrait = talker.portrait(read_image(PICTURE), options)
    track = talker.track(sound, portrait, options)
    pieces = talker.latents(talker.reference(portrait), track, options, on_step=lambda _done, _steps: None)
    return torch.cat(list(pieces)) / talker.spec.latent_scale


def aligned(*, track: list, pose: list) -> dict:
    return node(
        "CyberHostAlignHands",
        hand_track=track,
        reference_pose=pose,
        image=["example", 0],
        frames=["features", 1],
        fps=["features", 2],
        scale=1.0,
        offset_x=0.0,
        offset_y=0.0,
        when_short="hold last",
    )


def detected(image: list) -> dict:
    return node("CyberHostDWPose", image=image, detector="puppet-pose (bundled)", padding=1.0)


def of_video() -> Prompt:
    """The person of a user's clip: frames, pose, track."""
    return {
        "video": node("LoadVideo", file="driving.mp4"),
        "parts": node("GetVideoComponents", video=["video", 0]),
        "followed": node(
            "CyberHostDWPose", image=["parts", 0], detector="puppet-pose (bundled)", padding=1.0
        ),
        "clip_track": node(
            "CyberHostHandTrackFromVideo",
            images=["parts", 0],
            pose=["followed", 0],
            fps=["parts", 2],
            person=-1,
        ),
    }


def skeletons(pose: list, *, parts: str, **base: list) -> dict:
    return node("CyberHostSkeletonMap", pose=pose, parts=parts, person=-1, **base)


def check(found: torch.Tensor, expected: torch.Tensor, *, tolerance: float) -> None:
    assert found.shape == expected.shape
    assert float(expected.std()) > 10 * tolerance, "the tolerance says something"
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def check_clip(found: torch.Tensor, expected: torch.Tensor, *, other: torch.Tensor) -> None:
    """ComfyUI decodes a clip's colours in its own way, so that its person is found a fraction of a pixel off.

    The results are as near as that allows: far nearer than to what another driver gives.
    """
    assert found.shape == expected.shape == other.shape
    error, chance = ((one - expected).pow(2).mean().sqrt() for one in (found, other))
    assert float(error) < 0.1 * float(expected.std())
    assert float(error) < 0.3 * float(chance)


def test_hands_of_a_track_on_the_movement_map(filled: Client) -> None:
    prompt = segment(
        box=node("CyberHostMovementMap", pose=["detect", 0], width=0.2, height=0.1, box="", person=-1),
        track=node("CyberHostHandTrackFromFile", file="puppet_gesture.json (bundled)"),
        aligned=aligned(track=["track", 0], pose=["detect", 0]),
        map=skeletons(["aligned", 1], parts="hands only", base=["box", 0]),
        sigmas=SIGMAS,
        noise=NOISE,
    )
    driving = Driving(track=GESTURE, movement=(0.2, 0.1))
    expected = generated(bundled.CHECKPOINT, voice(), driving=driving)
    check(latents(filled, prompt, "sample", "tracked_hands"), expected, tolerance=0.02)


def test_a_clip_gives_all_motion(filled: Client, media: list[Path]) -> None:
    prompt = segment(
        **of_video(),
        aligned=aligned(track=["clip_track", 0], pose=["detect", 0]),
        map=skeletons(["aligned", 1], parts="whole body"),
        sigmas=SIGMAS,
        noise=NOISE,
    )
    expected = generated(bundled.CHECKPOINT, voice(), driving=Driving(video=media[2]))
    other = generated(bundled.CHECKPOINT, voice(), driving=Driving(track=GESTURE))
    check_clip(latents(filled, prompt, "sample", "followed_clip"), expected, other=other)


def test_a_system_that_was_trained_on_stable_diffusions_latents(host: Client, packed: Path) -> None:
    """CyberHost as `train pack` leaves it, its autoencoder Stable Diffusion's, in Load CyberHost."""
    host.add_model("cyberhost", packed)
    prompt = segment(load=node("CyberHostLoad", checkpoint=packed.name), sigmas=SIGMAS, noise=NOISE)
    prompt["sample"]["inputs"] |= {"reference_scale": 2.5, "audio_scale": 4.5}
    box = Driving(movement=(0.2, 0.1))
    check(latents(host, prompt, "sample", "packed"), generated(packed, voice(), driving=box), tolerance=0.05)
    pictures = host.run(
        {
            **prompt,
            "pictures": node("VAEDecode", samples=["sample", 0], vae=["load", 2]),
            "saved": node("SaveImage", images=["pictures", 0], filename_prefix="packed"),
        }
    )
    shown = [read_image(path) for path in host.files(pictures) if path.name.startswith("packed_")]
    talker = Talker.load(packed, networks=PUPPETS)
    expected = talker.decode(generated(packed, voice(), driving=box) * talker.spec.latent_scale)
    assert len(shown) == len(expected) == 12
    difference = np.abs(np.stack(shown).astype(int) - expected)
    assert float(difference.mean()) < 1
    assert float(expected.std()) > 20


def test_one_network_whose_segments_open_with_the_last_frame_before(filled: Client) -> None:
    """PAHA; the map and the clarity that the graph also connects are ignored."""
    load = node("CyberHostLoad", checkpoint=TINY_UNIFIED)
    prompt = segment(load=load, sigmas=SIGMAS, noise=NOISE)
    found = latents(filled, prompt, "sample", "unified")
    assert len(found) == 12, "more than the 10 frames of a segment"
    check(found, generated(bundled.UNIFIED_CHECKPOINT, voice()), tolerance=0.02)


def test_echomimic_v2_with_a_track(filled: Client, public: dict[str, Path]) -> None:
    prompt = echomimic_v2(
        pose=detected(["example", 0]),
        voice=node("TrimAudioDuration", audio=["example", 1], start_index=1.0, duration=0.48),
        aligned=aligned(track=["track", 0], pose=["pose", 0]),
        map=skeletons(["aligned", 1], parts="hands (EchoMimicV2)"),
    )
    expected = generated(public["echomimic-v2"], voice(), driving=Driving(track=GESTURE))
    check(latents(filled, prompt, "sample", "fitted_half_body"), expected, tolerance=0.05)


def test_hallo_with_a_voice(filled: Client, public: dict[str, Path]) -> None:
    prompt = hallo(voice=node("TrimAudioDuration", audio=["example", 1], start_index=1.0, duration=0.48))
    expected = generated(public["hallo"], voice())
    check(latents(filled, prompt, "sample", "shorter_head"), expected, tolerance=0.05)


def test_animate_anyone_with_a_clip(
    filled: Client, public: dict[str, Path], media: list[Path], weights: dict[str, Path], tmp_path: Path
) -> None:
    prompt = animate_anyone(
        **{name: made for name, made in of_video().items() if name != "clip_track"},
        other=node("CyberHostLoad", checkpoint="hallo.safetensors"),  # whose autoencoder is used
        clip=node("CLIPVisionLoader", clip_name=CLIP_VISION),
        seen=node("CLIPVisionEncode", clip_vision=["clip", 0], image=["example", 0], crop="none"),
        reference=node(
            "CyberHostReferenceNet",
            parts=["load", 1],
            vae=["other", 2],
            image=["example", 0],
            clip_vision_output=["seen", 0],
        ),
        map=skeletons(["followed", 0], parts="whole body"),
        conditions=conditions(),
    )
    del prompt["track"], prompt["skeletons"]
    networks = Networks(
        pose_detector=bundled.POSE_NETWORK,
        clip_vision=clip_folder(weights["clip_vision"], tmp_path),
        vae=public["hallo"],
    )
    expected = generated(public["animate-anyone"], None, driving=Driving(video=media[2]), networks=networks)
    check(latents(filled, prompt, "sample", "followed_whole"), expected, tolerance=0.05)


def clip_folder(weights: Path, folder: Path) -> Path:
    """CLIP's vision tower as Hugging Face lays it out, beside ComfyUI's single file."""
    config = {
        "model_type": "clip_vision_model",
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "patch_size": 14,
        "projection_dim": 768,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.safetensors").symlink_to(weights)
    return folder
