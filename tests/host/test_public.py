"""Public models on a real ComfyUI: small files of random weights in their own formats, converted for real.

What the graphs make is compared with the core alone; what people see of a random picture means nothing.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from . import core_runs
from .events import Events
from .prompts import Prompt, complaint, natively_guided, node, shown
from .public_prompts import STEPS, animate_anyone, conditions, echomimic_v2, hallo, reference
from .server import REPOSITORY, Client

pytestmark = pytest.mark.host

TOLERANCE = 0.05  # of latents with a standard deviation above 5; the schedules' last sigmas differ


@dataclass(frozen=True)
class Run:
    """One run and all that the server told its browser."""

    latents: torch.Tensor
    pictures: list[Path]
    told: list[tuple[str, Any]]


@pytest.fixture(scope="module")
def run(host: Client, public: dict[str, Path]) -> Callable[[str, Prompt], Run]:
    """Run a prompt up to its latents and their pictures, decoded by ComfyUI's own node."""

    def to_the_end(name: str, prompt: Prompt) -> Run:
        latents = node("SaveLatent", samples=["sample", 0], filename_prefix=name)
        pictures = node("VAEDecode", samples=["sample", 0], vae=["load", 2])
        saved = node("SaveImage", images=["pictures", 0], filename_prefix=name)
        whole = {**prompt, "latents": latents, "pictures": pictures, "saved": saved}
        with Events(host) as events:
            key = host.start(whole, client_id=events.client_id)
            told = events.until_the_end(key)
        host.wait(key)
        output = host.server.folder / "output"
        (path,) = output.glob(f"{name}_*.latent")
        return Run(load_file(path)["latent_tensor"], sorted(output.glob(f"{name}_*.png")), told)

    return to_the_end


@pytest.fixture(scope="module")
def half_body(run: Callable[[str, Prompt], Run]) -> Run:
    return run("half_body", echomimic_v2(**IN_VAIN))


@pytest.fixture(scope="module")
def head(run: Callable[[str, Prompt], Run]) -> Run:
    return run("head", hallo())


POSE = node("CyberHostDWPose", image=["example", 0], detector="puppet-pose (bundled)", padding=1.0)
IN_VAIN = {"pose": POSE, "reference": reference(pose=["pose", 0])}


def test_the_converter_starts_in_comfyuis_own_python(host: Client) -> None:
    """As README says: from ComfyUI's folder, with nothing installed for it."""
    module = "custom_nodes.cyberhost.cyberhost_core.cli"
    assert f"python -m {module} convert hallo " in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    command = [host.server.checkout.python, "-m", module, "convert", "hallo", "--help"]
    ran = subprocess.run(
        command, cwd=host.server.folder, capture_output=True, text=True, timeout=120, check=True
    )
    assert "--audio-encoder" in ran.stdout


def test_load_lists_every_file_and_names_the_size_it_was_trained_at(
    host: Client, public: dict[str, Path], half_body: Run
) -> None:
    kind, *rest = host.object_info()["CyberHostLoad"]["input"]["required"]["checkpoint"]
    choices = kind if isinstance(kind, list) else rest[0]["options"]
    assert {path.name for path in public.values()} <= set(choices)
    assert shown(host, echomimic_v2(), "load", 4) == "768"


def test_windows_give_what_the_core_gives(half_body: Run, public: dict[str, Path]) -> None:
    """15 frames in rotating windows of 12, driven by Whisper features and drawn hands."""
    expected = core_runs.echomimic_v2(public["echomimic-v2"])
    assert half_body.latents.shape == expected.shape == (15, 4, 16, 12)
    assert float(expected.std()) > 5
    torch.testing.assert_close(half_body.latents, expected, atol=TOLERANCE, rtol=0)


def test_a_chain_gives_what_the_core_gives(head: Run, public: dict[str, Path]) -> None:
    """20 frames in two segments of 16, the first opened by the portrait itself."""
    expected = core_runs.hallo(public["hallo"])
    assert head.latents.shape == expected.shape == (20, 4, 16, 12)
    assert float(expected.std()) > 5
    torch.testing.assert_close(head.latents, expected, atol=TOLERANCE, rtol=0)


def test_native_guidance_gives_the_chains_first_segment(host: Client, head: Run, run) -> None:
    cut = node("LatentFromBatch", samples=["conditions", 3], batch_index=0, length=16)
    prompt = natively_guided(hallo(cut=cut))
    prompt["native"]["inputs"]["latent_image"] = ["cut", 0]
    prompt["guider"]["inputs"] |= {"cfg_conds": 3.5, "cfg_cond2_negative": 3.5}
    prompt["sample"] = prompt.pop("native")
    found = run("head_natively", prompt)
    torch.testing.assert_close(found.latents, head.latents[:16], atol=0.01, rtol=0)


def test_steps_are_counted_and_previewed_in_stable_diffusions_colours(half_body: Run, head: Run) -> None:
    """Sliding windows step all frames together, a chain steps segment by segment."""
    for told, steps in ((half_body.told, STEPS), (head.told, 2 * STEPS)):
        done = [data for kind, data in told if kind == "progress" and data["node"] == "sample"]
        assert [(data["value"], data["max"]) for data in done][-1] == (steps, steps)
        assert len([data for kind, data in told if kind == "preview" and b"\xff\xd8\xff" in data]) >= steps


def test_native_decoding_gives_pictures_of_the_portraits_size(half_body: Run, head: Run) -> None:
    for made, frames in ((half_body, 15), (head, 20)):
        assert len(made.pictures) == frames
        with Image.open(made.pictures[-1]) as picture:
            assert picture.size == (96, 128)
            assert max(high - low for low, high in picture.getextrema()) > 20


def test_the_log_names_no_weights_that_did_not_fit(host: Client, half_body: Run, head: Run) -> None:
    log = host.server.log_text().lower()
    assert [words for words in ("missing vae", "leftover vae", "unet missing") if words in log] == []


def test_what_a_system_does_not_use_is_ignored_with_a_notice(host: Client, half_body: Run) -> None:
    notice = "'echomimic-v2' does not use the pose of the reference person; this input is ignored."
    assert f"CyberHost: {notice}" in host.server.log_text()
    assert [data for kind, data in half_body.told if kind == "preview" and notice.encode() in data]


MISSING: dict[str, tuple[Callable[[], Prompt], str, list[str]]] = {
    "EchoMimicV2 without sound": (
        lambda: echomimic_v2(conditions=conditions()),
        "conditions",
        ["'echomimic-v2' needs speech features", "connect Wav2Vec Audio Features to audio_features"],
    ),
    "EchoMimicV2 without hands": (
        lambda: echomimic_v2(conditions=_without_map(conditions(audio_features=["features", 0]))),
        "conditions",
        ["'echomimic-v2' needs a map", "Skeleton Map"],
    ),
    "Hallo without the face": (
        lambda: hallo(reference=reference(pose=["pose", 0])),
        "reference",
        ["'hallo' needs the face of the reference person", "connect Region Crops to crops"],
    ),
    "Hallo without the pose": (
        lambda: hallo(reference=reference(crops=["crops", 0])),
        "reference",
        ["'hallo' needs the pose of the reference person", "connect DWPose Detector's pose"],
    ),
    "AnimateAnyone without CLIP": (
        animate_anyone,
        "reference",
        ["'animate-anyone' needs CLIP's embedding", "connect CLIP Vision Encode"],
    ),
    "a file without an autoencoder": (
        lambda: echomimic_v2(
            bare=node("CyberHostLoad", checkpoint="animate-anyone.safetensors"),
            reference=node("CyberHostReferenceNet", parts=["load", 1], vae=["bare", 2], image=["example", 0]),
        ),
        "reference",
        ["came without an autoencoder", "connect Load VAE", "--vae"],
    ),
    "a map of another size": (
        lambda: echomimic_v2(map=node("EmptyImage", width=64, height=64, batch_size=1, color=0)),
        "conditions",
        ["The map has 64 x 64 pixels", "the reference has 96 x 128"],
    ),
    "sound heard by another system's ears": (
        lambda: echomimic_v2(
            other=node("CyberHostLoad", checkpoint="hallo.safetensors"),
            features=node("CyberHostAudioFeatures", audio=["voice", 0], fps=24.0, audio_encoder=["other", 3]),
        ),
        "conditions",
        ["heard by 'wav2vec2_stretched'", "heard by 'whisper'", "audio encoder of the same checkpoint"],
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_or_does_not_fit_is_named(host: Client, public: dict[str, Path], case: str) -> None:
    make, where, words = MISSING[case]
    said = complaint(host, make(), where, 0)
    assert [word for word in words if word not in said] == []


def _without_map(made: dict) -> dict:
    del made["inputs"]["map"]
    return made


def test_another_hand_driver_drives_the_same_graph(run, half_body: Run) -> None:
    """Hands of a video in place of a file's; both fitted to the portrait."""
    steps = node("BasicScheduler", model=["load", 0], scheduler="simple", steps=1, denoise=1.0)
    fitted = node(
        "CyberHostAlignHands",
        hand_track=["track", 0],
        reference_pose=["pose", 0],
        image=["example", 0],
        frames=["features", 1],
        fps=["features", 2],
        scale=1.0,
        offset_x=0.0,
        offset_y=0.0,
    )
    drawn = node("CyberHostSkeletonMap", pose=["fitted", 1], parts="hands (EchoMimicV2)", person=-1)
    shared = {"pose": POSE, "fitted": fitted, "map": drawn, "sigmas": steps}
    from_video = {
        "clip": node("CyberHostExampleClip", clip="puppet_gesture.mp4"),
        "parts": node("GetVideoComponents", video=["clip", 0]),
        "frames": node("ImageFromBatch", image=["parts", 0], batch_index=30, length=16),
        "poses": node("CyberHostDWPose", image=["frames", 0], detector="puppet-pose (bundled)", padding=1.0),
        "track": node(
            "CyberHostHandTrackFromVideo", images=["frames", 0], pose=["poses", 0], fps=25.0, person=-1
        ),
    }
    by_file = run("by_file", echomimic_v2(**shared)).latents
    by_video = run("by_video", echomimic_v2(**(shared | from_video))).latents
    assert by_file.shape == by_video.shape == (15, 4, 16, 12)
    assert torch.isfinite(by_video).all()
    assert float((by_file - by_video).abs().max()) > 0.005  # the rest, noise included, is the same
