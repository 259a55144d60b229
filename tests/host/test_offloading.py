"""Little memory: our layers stand what ComfyUI does to them with --lowvram and --novram.

ComfyUI takes neither flag together with --cpu, and on a CPU loads every model whole. Where there is a GPU the
flags leave weights behind, and layers cast theirs when they run: the server of these tests does so with all
weights, because of the custom nodes in offloading.py.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from .graph import prompt_from_workflow
from .latents import latents
from .loras import lora, with_lora
from .prompts import Prompt, natively_guided, node, segment, shown
from .server import REPOSITORY, Client, Server

pytestmark = pytest.mark.host

SIGMAS = node("BasicScheduler", model=["load", 0], scheduler="simple", steps=1, denoise=1.0)
TOLERANCE = {"atol": 1e-4, "rtol": 0}


@pytest.fixture(scope="session")
def short(host: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server without memory for weights."""
    folder = tmp_path_factory.mktemp(f"{host.version}-short") / "comfyui"
    server = Server(host.server.checkout, folder)
    shutil.copy(Path(__file__).with_name("offloading.py"), folder / "custom_nodes")
    with server as client:
        yield client
    assert "loaded partially" in server.log_text()


def talking_body(object_info: dict[str, dict]) -> tuple[Prompt, str]:
    """The shipped workflow with one step and half a second of its voice, and the key of its sampler."""
    path = REPOSITORY / "workflows" / "talking_body.json"
    prompt = prompt_from_workflow(json.loads(path.read_text(encoding="utf-8")), object_info)
    key_of = {entry["class_type"]: key for key, entry in prompt.items()}
    voice = [key_of["CyberHostExample"], 1]
    prompt["cut"] = node("TrimAudioDuration", audio=voice, start_index=1.0, duration=0.48)
    prompt[key_of["CyberHostAudioFeatures"]]["inputs"]["audio"] = ["cut", 0]
    prompt[key_of["BasicScheduler"]]["inputs"]["steps"] = 1
    return prompt, key_of["CyberHostSampler"]


def test_the_talking_body_comes_out_the_same(host: Client, short: Client, object_info) -> None:
    prompt, sampler = talking_body(object_info)
    expected = latents(host, prompt, sampler, "whole")
    assert len(expected) == 12
    torch.testing.assert_close(latents(short, prompt, sampler, "short"), expected, **TOLERANCE)


def test_a_natively_guided_segment_comes_out_the_same(host: Client, short: Client) -> None:
    prompt = natively_guided(segment(sigmas=SIGMAS))
    expected = latents(host, prompt, "native", "whole_native")
    torch.testing.assert_close(latents(short, prompt, "native", "short_native"), expected, **TOLERANCE)


def test_a_lora_on_weights_that_were_left_behind_does_the_same(
    host: Client, short: Client, tmp_path: Path
) -> None:
    path = lora(tmp_path / "left-behind.safetensors")
    prompts = [with_lora(segment(sigmas=SIGMAS), client.add_model("loras", path)) for client in (host, short)]
    expected = latents(host, prompts[0], "sample", "whole_lora")
    torch.testing.assert_close(latents(short, prompts[1], "sample", "short_lora"), expected, **TOLERANCE)


def test_every_weight_follows_to_the_device_that_computes(short: Client) -> None:
    prompt = segment(another=node("AnotherDevice", model=["load", 0], positive=["conditions", 0]))
    assert shown(short, prompt, "another", 0) == "cuda cuda"
