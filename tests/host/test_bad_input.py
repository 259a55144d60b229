"""Bad input on a real ComfyUI: the node's error says what came, what was expected and what to do next.

And input that only looks bad (alpha, 8 kHz, 5.1) just works.
"""

import json
import pickle
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cyberhost_core import bundled

from .prompts import complaint, heard, natively_guided, node, portrait, segment, shown
from .server import Client

pytestmark = pytest.mark.host


def empty_picture(width: int = 96, height: int = 128) -> dict:
    return node("EmptyImage", width=width, height=height, batch_size=1, color=GREEN)


GREEN = 0x80A080
WITHOUT_HANDS = node(
    "ImageCompositeMasked", destination=["example", 0], source=["green", 0], x=0, y=80, resize_source=False
)
TWO = node("ImageBatch", image1=["example", 0], image2=["example", 0])

PICTURES = {
    "nobody in the picture": (
        {
            "detect": node(
                "CyberHostDWPose", image=["blank", 0], detector="puppet-pose (bundled)", padding=1.0
            )
        },
        ("reference", 0),
        ["CyberHostDWPose", "person"],
    ),
    "no hand in the picture": (
        {
            "detect": node(
                "CyberHostDWPose", image=["no_hands", 0], detector="puppet-pose (bundled)", padding=1.0
            ),
            "clarity": node("CyberHostHandClarity", image=["no_hands", 0], pose=["detect", 0], person=-1),
        },
        ("clarity", 0),
        ["CyberHostHandClarity", "No hand was found", "at least one was expected"],
    ),
    "a person who is not there": (
        {"crops": node("CyberHostRegionCrops", image=["example", 0], pose=["detect", 0], person=3)},
        ("crops", 0),
        ["CyberHostRegionCrops", "3"],
    ),
    "a picture of another size than the model's": (
        {
            "odd": node(
                "ImageScale",
                image=["example", 0],
                upscale_method="area",
                width=193,
                height=257,
                crop="disabled",
            ),
            "detect": node(
                "CyberHostDWPose", image=["odd", 0], detector="puppet-pose (bundled)", padding=1.0
            ),
            "reference": node(
                "CyberHostReferenceNet",
                parts=["load", 1],
                vae=["load", 2],
                image=["odd", 0],
                pose=["detect", 0],
                crops=["crops", 0],
            ),
            "crops": node("CyberHostRegionCrops", image=["odd", 0], pose=["detect", 0], person=-1),
        },
        ("reference", 0),
        ["CyberHostReferenceNet", "193 x 257 pixels", "works at 96 x 128", "Upscale Image"],
    ),
    "a batch where one picture is needed": (
        {
            "reference": node(
                "CyberHostReferenceNet",
                parts=["load", 1],
                vae=["load", 2],
                image=["two", 0],
                pose=["detect", 0],
                crops=["crops", 0],
            )
        },
        ("reference", 0),
        ["CyberHostReferenceNet", "A batch of 2 images", "exactly 1 image was expected", "ImageFromBatch"],
    ),
}


@pytest.mark.parametrize("case", PICTURES)
def test_a_picture_that_cannot_be_used_is_named(host: Client, case):
    replaced, source, words = PICTURES[case]
    prompt = (
        portrait(blank=empty_picture(), no_hands=WITHOUT_HANDS, green=empty_picture(height=48), two=TWO)
        | replaced
    )
    said = complaint(host, prompt, *source)
    assert [word for word in words if word not in said] == [], said


def test_of_several_people_in_a_picture_the_one_who_fills_it_is_taken(host: Client):
    small = node(
        "ImageScale", image=["example", 0], upscale_method="area", width=24, height=32, crop="disabled"
    )
    both = node(
        "ImageCompositeMasked", destination=["example", 0], source=["small", 0], x=0, y=0, resize_source=False
    )
    alone_XY = neck(shown(host, portrait(), "detect", 0))
    crowd = portrait(small=small, both=both)
    for name in ("detect", "crops"):
        crowd[name]["inputs"]["image"] = ["both", 0]
    assert neck(shown(host, crowd, "detect", 0)) == pytest.approx(alone_XY, abs=4)
    assert shown(host, crowd, "crops", 0)


def neck(keypoints: str) -> list[float]:
    (person,) = json.loads(keypoints)[0]["people"]
    return person["pose_keypoints_2d"][3:5]


def test_an_alpha_channel_is_cut_off(host: Client):
    mask = node("SolidMask", value=0.5, width=96, height=128)
    clear = node("JoinImageWithAlpha", image=["example", 0], alpha=["mask", 0])
    prompt = portrait(mask=mask, clear=clear)
    for name in ("detect", "crops", "reference"):
        prompt[name]["inputs"]["image"] = ["clear", 0]
    assert shown(host, prompt, "reference", 0)


SOUNDS = {
    "silence": (
        node("EmptyAudio", duration=1.0, sample_rate=16000, channels=1),
        ["silent", "a voice is needed"],
    ),
    "no sample": (node("EmptyAudio", duration=0.0, sample_rate=16000, channels=1), ["0 samples"]),
}


@pytest.mark.parametrize("case", SOUNDS)
def test_a_sound_that_cannot_be_used_is_named(host: Client, case):
    sound, words = SOUNDS[case]
    said = complaint(host, heard(["sound", 0], sound=sound), "features", 1)
    assert [word for word in ["CyberHostAudioFeatures", *words] if word not in said] == [], said


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (48_000, 6)])
def test_telephone_and_cinema_sound_are_heard(host: Client, tmp_path: Path, rate_hz, channels):
    path = tmp_path / f"sound_{rate_hz}_{channels}.wav"
    time_T = np.arange(round(0.99 * rate_hz)) / rate_hz
    wave_TC = np.sin(2 * np.pi * 220 * time_T)[:, None] * np.linspace(0.1, 0.5, channels)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((wave_TC * 32_767).astype("<i2").tobytes())
    sound = node("LoadAudio", audio=host.upload(path))
    assert shown(host, heard(["sound", 0], sound=sound), "features", 1) == "25"  # ceil(0.99 s x 25)


@pytest.mark.parametrize("fps", [0.0, 1000.0])
def test_a_frame_rate_out_of_range_is_refused(host: Client, fps):
    voice = node("CyberHostExample", portrait="puppet_0.png", voice="train_08.ogg")
    typed = complaint(host, heard(["voice", 1], fps=fps, voice=voice), "features", 1)
    assert "CyberHostAudioFeatures" in typed
    assert "fps" in typed
    wired = heard(["voice", 1], fps=["rate", 0], voice=voice, rate=node("PrimitiveFloat", value=fps))
    said = complaint(host, wired, "features", 1)
    assert f"The frame rate is {fps:g} frames per second, but 1 to 120 was expected" in said


def foreign_checkpoint(path: Path) -> None:
    """The names that a Stable Diffusion 1.5 file has."""
    weight = torch.zeros(320, 4, 3, 3)
    save_file({"model.diffusion_model.input_blocks.0.0.weight": weight}, path, {"format": "pt"})


def truncated_checkpoint(path: Path) -> None:
    path.write_bytes(bundled.CHECKPOINT.read_bytes()[:1_000_000])


def renamed_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": list(range(100))}))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (foreign_checkpoint, ["is no CyberHost checkpoint", "'cyberhost-2' was expected"]),
        (truncated_checkpoint, ["cannot be read as safetensors", "truncated"]),
        (renamed_pickle, ["cannot be read as safetensors", "of another kind"]),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named(host: Client, tmp_path: Path, make, words):
    path = tmp_path / f"{make.__name__}.safetensors"
    make(path)
    prompt = {"load": node("CyberHostLoad", checkpoint=host.add_model("cyberhost", path))}
    said = complaint(host, prompt, "load", 4)
    assert [word for word in ["CyberHostLoad", path.name, *words] if word not in said] == [], said


def test_a_missing_package_is_named_with_the_command_that_installs_it(host: Client):
    detector = host.add_model("cyberhost", bundled.POSE_DETECTOR)
    prompt = portrait()
    prompt["detect"]["inputs"]["detector"] = detector
    said = complaint(host, prompt, "detect", 0)
    assert "CyberHostDWPose" in said
    assert "needs the package 'onnxruntime', which is not installed" in said
    assert "pip install" in said


def test_parts_of_two_checkpoints_are_not_mixed(host: Client, tmp_path: Path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(bundled.CHECKPOINT.read_bytes())
    prompt = segment(second=node("CyberHostLoad", checkpoint=host.add_model("cyberhost", other)))
    prompt["conditions"]["inputs"]["parts"] = ["second", 1]
    said = complaint(host, prompt, "conditions", 3)
    assert "CyberHostConditions" in said
    assert "other.safetensors" in said
    assert "load both from one Load CyberHost node" in said


def test_too_few_maps_for_the_sound_are_counted(host: Client):
    track = node("CyberHostHandTrackFromFile", file="puppet_gesture.json (bundled)")
    prompt = segment(
        track=track, map=node("CyberHostSkeletonMap", pose=["track", 1], parts="whole body", person=-1)
    )
    prompt["features"]["inputs"] |= {"audio": ["example", 1], "fps": 50.0}
    said = complaint(host, prompt, "conditions", 3)
    assert "There are 112 maps for 155 frames" in said
    assert "Align Hands" in said


@pytest.fixture
def broken_model(host: Client, tmp_path: Path) -> str:
    """A checkpoint whose denoiser gives values that are not numbers."""
    with safe_open(bundled.CHECKPOINT, framework="pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    tensors["denoiser.conv_out.bias"] = torch.full_like(tensors["denoiser.conv_out.bias"], float("nan"))
    path = tmp_path / "not_numbers.safetensors"
    save_file(tensors, path, metadata)
    return host.add_model("cyberhost", path)


def test_the_stage_that_gives_values_that_are_not_numbers_is_named(host: Client, broken_model):
    prompt = segment(load=node("CyberHostLoad", checkpoint=broken_model))
    said = complaint(host, prompt, "sample", 0)
    assert "CyberHostSampler" in said
    assert "not numbers in segment 1 of 2" in said
    native = natively_guided(prompt) | {
        "video": node(
            "CyberHostDecodeVideo",
            latent=["native", 0],
            vae=["load", 2],
            fps=25.0,
            filename_prefix="nan/video",
        ),
    }
    said = complaint(host, native, "video", 0)
    assert "CyberHostDecodeVideo" in said
    assert "the sampler gave them, not the decoder" in said
