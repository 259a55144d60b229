"""Outside networks on a real ComfyUI: which files are offered where, what is said of the one that runs.

onnxruntime is not in the hosts' environments: what files do is tested in tests/core, here what is said of it.
"""

import json
from pathlib import Path

import pytest

from cyberhost_core import bundled

from .prompts import complaint, node, portrait, shown
from .server import Client

pytestmark = pytest.mark.host

YOLOX, ARCFACE = "yolox_l_twin.onnx", "glintr100_twin.onnx"


@pytest.fixture
def files(host: Client, tmp_path: Path) -> None:
    """A person detector, a pose detector and a face network where users put theirs."""
    (tmp_path / YOLOX).write_bytes(b"never read")
    host.add_model("cyberhost", tmp_path / YOLOX)
    host.add_model("cyberhost", bundled.POSE_DETECTOR)
    (tmp_path / ARCFACE).write_bytes(bundled.FACE_IDENTITY.read_bytes())
    host.add_model("insightface/models/antelopev2", tmp_path / ARCFACE)


def options(host: Client, node_id: str, name: str) -> list[str]:
    declared = host.object_info()[node_id]["input"]
    kind, *rest = {**declared["required"], **declared.get("optional", {})}[name]
    return kind if isinstance(kind, list) else rest[0]["options"]


def test_every_file_is_offered_where_it_fits(host: Client, files: None) -> None:
    people = options(host, "CyberHostDWPose", "person_detector")
    assert people[0] == "whole picture"
    assert YOLOX in people and bundled.POSE_DETECTOR.name not in people
    poses = options(host, "CyberHostDWPose", "detector")
    assert poses[0] == "puppet-pose (bundled)"
    assert bundled.POSE_DETECTOR.name in poses and YOLOX not in poses
    faces = options(host, "CyberHostRegionCrops", "face_network")
    assert faces[0] == "puppet-face (bundled)"
    assert f"insightface/models/antelopev2/{ARCFACE}" in faces and YOLOX not in faces


def test_old_workflows_keep_their_first_values(host: Client) -> None:
    """Saved values have no names: new widgets come last, and may be left out."""
    order = host.object_info()["CyberHostDWPose"]["input_order"]
    assert [*order["required"], *order["optional"]] == ["image", "detector", "padding", "person_detector"]
    order = host.object_info()["CyberHostRegionCrops"]["input_order"]
    assert [*order["required"], *order["optional"]] == ["image", "pose", "person", "face_network"]
    assert options(host, "CyberHostSkeletonMap", "parts") == [
        "whole body",
        "hands only",
        "hands (EchoMimicV2)",
    ]


def test_what_runs_a_network_is_said_on_the_node_and_in_the_log(host: Client) -> None:
    prompt = portrait(show=node("PreviewAny", source=["crops", 0]))
    del prompt["reference"], prompt["load"]
    prompt["detect"]["inputs"]["padding"] = 1.05  # as in no other test: a cached node says nothing
    said = host.run(prompt)
    assert said["detect"]["text"] == ["pose: torch, CPU"]
    assert said["crops"]["text"] == ["face: torch, CPU"]
    assert "CyberHost: pose: torch, CPU" in host.server.log_text()


@pytest.mark.parametrize(
    ("name", "replaced", "purpose"),
    [
        ("detect", {"person_detector": YOLOX}, "Person detection"),
        ("crops", {"face_network": f"insightface/models/antelopev2/{ARCFACE}"}, "Face identity"),
    ],
)
def test_a_missing_package_is_named_with_this_pythons_own_command(
    host: Client, files: None, name: str, replaced: dict, purpose: str
) -> None:
    prompt = portrait()
    prompt[name]["inputs"] |= replaced
    said = complaint(host, prompt, name, 0)
    assert f"{purpose} needs the package 'onnxruntime', which is not installed" in said
    assert f"{host.server.checkout.python} -m pip install onnxruntime" in said


def test_hands_are_drawn_as_the_peer_wants_them(host: Client) -> None:
    """Points of the hand are red there, blue in OpenPose's colours."""
    prompt = portrait()
    prompt["large"] = node(
        "ImageScale", image=["example", 0], upscale_method="area", width=768, height=1024, crop="disabled"
    )
    prompt["detect"]["inputs"]["image"] = ["large", 0]
    for name, parts in (("peer", "hands (EchoMimicV2)"), ("plain", "hands only")):
        prompt[name] = node("CyberHostSkeletonMap", pose=["detect", 0], parts=parts, person=-1)
        for channel in ("red", "blue"):
            prompt[f"{name}_{channel}"] = node("ImageToMask", image=[name, 0], channel=channel)
    keypoints = json.loads(shown(host, prompt, "detect", 0))[0]["people"][0]["hand_left_keypoints_2d"]
    x, y = (int(value) for value in keypoints[12:14])  # the tip of the thumb
    assert keypoints[14] == 1
    for name, brighter, darker in (("peer", "red", "blue"), ("plain", "blue", "red")):
        bright, dark = (level(host, prompt, f"{name}_{channel}", x, y) for channel in (brighter, darker))
        assert bright > 0.4 > 0.1 > dark, (name, bright, dark)


def level(host: Client, prompt: dict, mask: str, x: int, y: int) -> float:
    """One pixel of a mask, as ComfyUI prints it."""
    one = {"one": node("CropMask", mask=[mask, 0], x=x, y=y, width=1, height=1)}
    text = shown(host, prompt | one, "one", 0)
    return float(text.split("[")[-1].split("]")[0])
