"""Every shipped workflow on a real ComfyUI, as a browser would run it: valid, and a video comes out."""

import json
import math
from pathlib import Path

import pytest

from cyberhost_core import bundled
from cyberhost_core.media.audio import read_sound
from cyberhost_core.media.video import read_frames

from .graph import FRONTEND_ONLY, named_widget_values, prompt_from_workflow, widgets
from .server import REPOSITORY, Client

pytestmark = pytest.mark.host

NAMES = sorted(path.stem for path in (REPOSITORY / "workflows").glob("*.json"))
FPS = 25
VOICE = "train_08.ogg"  # the shortest one


def workflow(name: str) -> dict:
    return json.loads((REPOSITORY / "workflows" / f"{name}.json").read_text(encoding="utf-8"))


def server_nodes(name: str) -> list[dict]:
    return [node for node in workflow(name)["nodes"] if node["type"] not in FRONTEND_ONLY]


def voice_frames() -> int:
    return read_sound(bundled.FOLDER / "speech" / VOICE).frames(FPS)


# the others are as long as the voice; as sound of a clip, the floor hands over the encoder's padding, too
FRAMES = {"reenactment": {112, 113}, "one_segment_native": {12}}


def shortened(prompt: dict[str, dict]) -> dict[str, dict]:
    """The same graph with two steps and the shortest voice."""
    for node in prompt.values():
        if node["class_type"] == "BasicScheduler":
            node["inputs"]["steps"] = 2
        if node["class_type"] == "CyberHostExample":
            node["inputs"]["voice"] = VOICE
    return prompt


def saved_video(host: Client, outputs: dict[str, dict]) -> Path:
    (video,) = {
        path
        for path in host.files(outputs)
        if path.is_relative_to(host.server.folder / "output/cyberhost") and path.suffix == ".mp4"
    }
    return video


@pytest.mark.parametrize("name", NAMES)
def test_every_socket_and_output_is_the_servers(object_info, name):
    for node in server_nodes(name):
        info = object_info[node["type"]]
        declared = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
        for entry in node["inputs"]:
            kind = declared[entry["name"]][0]
            assert ("COMBO" if isinstance(kind, list) else kind) == entry["type"]
        saved = [(x["name"], x["type"]) for x in node["outputs"]]
        served = list(zip(info["output_name"], info["output"], strict=True))
        assert saved == served[: len(saved)]  # a newer version may have added outputs at the end


@pytest.mark.parametrize("name", NAMES)
def test_every_widget_of_ours_is_saved_and_in_range(object_info, name):
    for node in server_nodes(name):
        if node["type"].startswith("CyberHost"):
            assert [widget for widget, _, was_saved in widgets(node, object_info) if not was_saved] == []
        declared = object_info[node["type"]]["input"]
        for widget, value in named_widget_values(node, object_info).items():
            kind, *options = {**declared.get("required", {}), **declared.get("optional", {})}.get(
                widget, [None]
            )
            choices = kind if isinstance(kind, list) else options[0].get("options") if options else None
            if kind == "COMBO" or isinstance(kind, list):
                assert value in choices, f"{node['type']}.{widget}"
            if kind in ("INT", "FLOAT"):
                assert options[0]["min"] <= value <= options[0].get("max", math.inf), (
                    f"{node['type']}.{widget}"
                )


@pytest.mark.parametrize("name", NAMES)
def test_every_required_input_is_connected(object_info, name):
    prompt = prompt_from_workflow(workflow(name), object_info)
    for node in prompt.values():
        needed = set(object_info[node["class_type"]]["input"].get("required", {}))
        assert needed <= set(node["inputs"]), node["class_type"]


@pytest.fixture(scope="session")
def frames_of(host: Client, object_info) -> Callable[[str], np.ndarray]:
    """Run a workflow once and give its video's frames."""
    return lru_cache(lambda name: read_frames(run(host, shortened(prompt_of(name, object_info)))))


@pytest.mark.parametrize("name", NAMES)
def test_a_video_of_the_sounds_length_comes_out(host: Client, object_info, name):
    prompt = shortened(prompt_from_workflow(workflow(name), object_info))
    video = saved_video(host, host.run(prompt))
    assert video.name.startswith(name)
    frames_FYXC = read_frames(video)
    assert len(frames_FYXC) in FRAMES.get(name, {voice_frames()})
    assert frames_FYXC.std() > 10  # a picture, not one colour
    assert read_sound(video).seconds == pytest.approx(len(frames_FYXC) / FPS, abs=1.5 / FPS)


def test_another_hand_driver_needs_one_wire_and_makes_another_video(host: Client, object_info):
    prompt = shortened(prompt_from_workflow(workflow("hand_driver_swap"), object_info))
    by_type = {node["class_type"]: key for key, node in prompt.items()}
    align = prompt[by_type["CyberHostAlignHands"]]["inputs"]
    assert align["hand_track"] == [by_type["CyberHostHandTrackFromVideo"], 0]
    first = read_frames(saved_video(host, host.run(prompt)))
    align["hand_track"] = [by_type["CyberHostHandTrackFromFile"], 0]
    second = read_frames(saved_video(host, host.run(prompt)))
    assert first.shape == second.shape
    assert (first != second).any()
