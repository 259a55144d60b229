"""Every shipped workflow on a real ComfyUI, as a browser would run it: valid, and a video comes out.

Those of public models find converted checkpoints of random weights, an autoencoder and CLIP of full size, and
media, all under the names that they select. Only their ONNX detectors are replaced, by the bundled networks:
onnxruntime is not in the hosts' environments.
"""

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from cyberhost_core.media.audio import read_sound
from cyberhost_core.media.video import read_frames

from .graph import FRONTEND_ONLY, named_widget_values, prompt_from_workflow, widgets
from .prompts import TINY, TINY_HANDS, TINY_UNIFIED
from .server import REPOSITORY, Client
from .users_files import CLIP_FRAMES, VOICE_SECS, place, write_media, write_weights

pytestmark = pytest.mark.host

NAMES = sorted(path.stem for path in (REPOSITORY / "workflows").glob("*.json"))
FPS = 25
RATES = {"echomimic_v2": 24}  # the others' is FPS


def workflow(name: str) -> dict:
    return json.loads((REPOSITORY / "workflows" / f"{name}.json").read_text(encoding="utf-8"))


def server_nodes(name: str) -> list[dict]:
    return [node for node in workflow(name)["nodes"] if node["type"] not in FRONTEND_ONLY]


# the others are as long as the voice; as sound of a clip, the floor hands over the encoder's padding, too
VOICE_FRAMES = math.ceil(VOICE_SECS * FPS)  # of the tiny models, two segments
FRAMES = {
    "reenactment": {112, 113},
    "one_segment_native": {12},
    "echomimic_v2": {math.ceil(VOICE_SECS * 24)},
    "animate_anyone": {CLIP_FRAMES},
}
SHORTER = {"BasicScheduler": {"steps": 2}}
SMALLER = {
    "ImageScale": {"width": 64, "height": 96},
    "CyberHostDWPose": {"detector": "puppet-pose (bundled)", "padding": 1.0},
    "CyberHostRegionCrops": {"face_network": "puppet-face (bundled)"},
}  # for public models, on two processor cores and without onnxruntime


def shortened(prompt: dict[str, dict]) -> dict[str, dict]:
    """The same graph with two steps and a user's short voice; public models draw smaller pictures, too."""
    checkpoints = {node["inputs"].get("checkpoint") for node in prompt.values()} - {None}
    changes = SHORTER if checkpoints <= {TINY, TINY_HANDS, TINY_UNIFIED} else SHORTER | SMALLER
    for node in prompt.values():
        node["inputs"] |= changes.get(node["class_type"], {})
    return with_voice(prompt)


def with_voice(prompt: dict[str, dict]) -> dict[str, dict]:
    """Load Audio where the voice comes from the bundled example, as the workflows' notes tell users to do.

    A graph that cuts its voice itself keeps it.
    """
    if any(node["class_type"] == "TrimAudioDuration" for node in prompt.values()):
        return prompt
    examples = {key for key, node in prompt.items() if node["class_type"] == "CyberHostExample"}
    bundled_voices = [[key, 1] for key in examples]
    for node in prompt.values():
        replaced = {name: ["voice", 0] for name, value in node["inputs"].items() if value in bundled_voices}
        node["inputs"] |= replaced
    load = {"class_type": "LoadAudio", "inputs": {"audio": "voice.wav"}}
    return prompt | ({"voice": load} if examples else {})


def declared(info: dict) -> dict[str, list]:
    """Required and optional inputs of a node, [type, options] by name."""
    return {**info["input"].get("required", {}), **info["input"].get("optional", {})}


def run(host: Client, prompt: dict[str, dict]) -> Path:
    """Run a prompt and give the one video that it leaves in the output folder."""
    kept = host.server.folder / "output" / "cyberhost"
    (video,) = {
        path for path in host.files(host.run(prompt)) if path.parent == kept and path.suffix == ".mp4"
    }
    return video


@pytest.fixture(scope="session")
def users_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], dict[str, Path]]:
    return write_media(tmp_path_factory.mktemp("media")), write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def object_info(host: Client, public: dict[str, Path], users_files) -> dict[str, dict]:
    """What the server says of its nodes when the files of the public models' workflows are there."""
    place(host, *users_files)
    return host.object_info()


@pytest.fixture(scope="module")
def video_of(host: Client, object_info: dict[str, dict]) -> Callable[[str], Path]:
    """Run a workflow, once."""
    return cache(lambda name: run(host, shortened(prompt_from_workflow(workflow(name), object_info))))


@pytest.mark.parametrize("name", NAMES)
def test_every_socket_and_output_is_the_servers(object_info, name):
    for node in server_nodes(name):
        info = object_info[node["type"]]
        for entry in node["inputs"]:
            kind = declared(info)[entry["name"]][0]
            assert ("COMBO" if isinstance(kind, list) else kind) == entry["type"]
        saved = [(x["name"], x["type"]) for x in node["outputs"]]
        served = list(zip(info["output_name"], info["output"], strict=True))
        assert saved == served[: len(saved)]  # a newer version may have added outputs at the end


@pytest.mark.parametrize("name", NAMES)
def test_every_widget_of_our_nodes_is_saved(object_info, name):
    for node in server_nodes(name):
        if node["type"].startswith("CyberHost"):
            assert [widget for widget, _, was_saved in widgets(node, object_info) if not was_saved] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_saved_value_is_one_that_the_server_offers(object_info, name):
    for node in server_nodes(name):
        for widget, value in named_widget_values(node, object_info).items():
            kind, *rest = declared(object_info[node["type"]]).get(widget, ["of an unfolded combo"])
            options = rest[0] if rest else {}
            if choices := kind if isinstance(kind, list) else options.get("options"):
                assert value in [x["key"] if isinstance(x, dict) else x for x in choices], widget
            if kind in ("INT", "FLOAT"):
                assert options.get("min", -math.inf) <= value <= options.get("max", math.inf), widget


@pytest.mark.parametrize("name", NAMES)
def test_every_required_input_is_connected(object_info, name):
    for node in prompt_from_workflow(workflow(name), object_info).values():
        needed = set(object_info[node["class_type"]]["input"].get("required", {}))
        assert needed <= set(node["inputs"]), node["class_type"]


@pytest.mark.parametrize("name", NAMES)
def test_a_video_of_the_sounds_length_comes_out(video_of, name):
    video = video_of(name)
    frames_FYXC = read_frames(video)
    assert video.name.startswith(name)
    assert len(frames_FYXC) in FRAMES.get(name, {VOICE_FRAMES})
    assert frames_FYXC.std() > 10  # a picture, not one colour
    fps = RATES.get(name, FPS)
    assert read_sound(video).seconds == pytest.approx(len(frames_FYXC) / fps, abs=1.5 / fps)


def test_another_hand_driver_needs_one_wire_and_makes_another_video(host: Client, object_info, video_of):
    prompt = shortened(prompt_from_workflow(workflow("hand_driver_swap"), object_info))
    key_of = {node["class_type"]: key for key, node in prompt.items()}
    align = prompt[key_of["CyberHostAlignHands"]]["inputs"]
    assert align["hand_track"] == [key_of["CyberHostHandTrackFromVideo"], 0]
    align["hand_track"] = [key_of["CyberHostHandTrackFromFile"], 0]
    swapped, before = read_frames(run(host, prompt)), read_frames(video_of("hand_driver_swap"))
    assert swapped.shape == before.shape
    assert (swapped != before).any()
