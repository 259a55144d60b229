"""EMO2's two stages on a real ComfyUI: equal to the core, any hand driver, one sentence for bad input."""

import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.pipeline.options import Driving, GenerateOptions

from .core_runs import talking
from .latents import latents
from .prompts import TINY, TINY_HANDS, Prompt, complaint, node, portrait, segment
from .server import Client

pytestmark = pytest.mark.host

STEPS, SEED = 3, 5


def from_voice(**changed: object) -> dict:
    values = {
        "audio_features": ["features", 0],
        "reference_pose": ["detect", 0],
        "model": "tiny-gestures (bundled puppets)",
        "seed": SEED,
        "style": "speaking",
        "amplitude_left": 1.0,
        "amplitude_right": 1.0,
    }
    return node("CyberHostHandMotion", **(values | changed))


def rendered(**changed: object) -> dict:
    values = {
        "hand_track": ["track", 0],
        "width": ["load", 4],
        "height": ["load", 5],
        "frames": ["features", 1],
        "when_short": "hold last",
        "fps": ["features", 2],
        "reference_pose": ["detect", 0],
    }
    return node("CyberHostHandMaps", **(values | changed))


def two_stages(**replaced: dict) -> Prompt:
    """Half a second through both stages, up to the latents; nodes can be replaced by name."""
    own = {
        "load": node("CyberHostLoad", checkpoint=TINY_HANDS),
        "reference": node("CyberHostReferenceNet", parts=["load", 1], vae=["load", 2], image=["example", 0]),
        "track": from_voice(),
        "maps": rendered(),
        "conditions": node(
            "CyberHostEMO2Conditions",
            parts=["load", 1],
            reference=["reference", 0],
            audio_features=["features", 0],
            hand_maps=["maps", 0],
            hand_confidence=1.0,
        ),
        "noise": node("RandomNoise", noise_seed=SEED),
        "sigmas": node("BasicScheduler", model=["load", 0], scheduler="simple", steps=STEPS, denoise=1.0),
    }
    return segment(**(own | replaced))


@pytest.fixture(scope="session")
def ours(host: Client) -> torch.Tensor:
    return latents(host, two_stages(), "sample", "two-stages")


def test_both_stages_equal_the_cores_own_pipeline(ours: torch.Tensor) -> None:
    """The host keeps speech features in half precision, which moves the hands by a hair."""
    options = GenerateOptions(steps=STEPS, seed=SEED, sampler="ddim", driving=Driving(amplitude=(1.0, 1.0)))
    expected = talking(bundled.HANDS_CHECKPOINT, options)
    assert ours.shape == expected.shape == (12, 16, 16, 12)
    assert float(expected.std()) > 0.5
    torch.testing.assert_close(ours, expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("driver", ["video", "file"])
def test_hands_of_a_clip_or_a_file_drive_the_second_stage(
    host: Client, ours: torch.Tensor, driver: str
) -> None:
    clip = {
        "clip": node("CyberHostExampleClip", clip="puppet_gesture.mp4"),
        "components": node("GetVideoComponents", video=["clip", 0]),
        "found": node(
            "CyberHostDWPose", image=["components", 0], detector="puppet-pose (bundled)", padding=1.0
        ),
        "hands": node(
            "CyberHostHandTrackFromVideo", images=["components", 0], pose=["found", 0], fps=25.0, person=-1
        ),
    }
    file = {"hands": node("CyberHostHandTrackFromFile", file="puppet_gesture.json (bundled)")}
    aligned = node(
        "CyberHostAlignHands",
        hand_track=["hands", 0],
        reference_pose=["detect", 0],
        image=["example", 0],
        frames=["features", 1],
        fps=["features", 2],
        scale=1.0,
        offset_x=0.0,
        offset_y=0.0,
    )
    prompt = two_stages(**(clip if driver == "video" else file), track=aligned)
    driven = latents(host, prompt, "sample", driver)
    assert driven.shape == ours.shape
    assert torch.isfinite(driven).all()
    assert float((driven - ours).abs().mean()) > 0.05, "other hands, another video"


def test_hands_from_the_voice_drive_cyberhost(host: Client) -> None:
    """The other way round: EMO2's track drawn on the movement map."""
    box = node("CyberHostMovementMap", pose=["detect", 0], width=0.2, height=0.1, box="", person=-1)
    drawn = node("CyberHostSkeletonMap", pose=["track", 1], base=["box", 0], parts="hands only", person=-1)
    fitted = from_voice()
    found = latents(host, segment(box=box, track=fitted, map=drawn), "sample", "multimodal")
    plain = latents(host, segment(), "sample", "plain")
    assert float((found - plain).abs().mean()) > 0.05


def test_the_wrong_conditions_node_names_the_right_one(host: Client) -> None:
    of_box = segment(load=node("CyberHostLoad", checkpoint=TINY_HANDS), reference=two_stages()["reference"])
    said = complaint(host, of_box, "conditions", 0)
    assert "The maps have 3 channels, but 'emo2-tiny' takes 6" in said
    assert "use EMO2 Conditions" in said
    of_hands = two_stages(load=node("CyberHostLoad", checkpoint=TINY), reference=portrait()["reference"])
    said = complaint(host, of_hands, "conditions", 0)
    assert "The maps have 6 channels, but 'cyberhost-tiny' takes 3" in said
    assert "use CyberHost Conditions" in said


def test_maps_of_another_size_rate_or_length_are_refused(host: Client) -> None:
    larger = two_stages(maps=rendered(width=192, height=256))
    assert "The map has 192 x 256 pixels, but the reference has 96 x 128" in complaint(
        host, larger, "conditions", 0
    )
    slower = two_stages(maps=rendered(fps=20.0))
    assert "The hand maps are of 20 frames per second, but the speech features of 25" in complaint(
        host, slower, "conditions", 0
    )
    fewer = two_stages(maps=rendered(frames=5))
    assert "There are 5 maps for 12 frames" in complaint(host, fewer, "conditions", 0)
