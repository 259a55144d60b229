"""What the newest ComfyUI offers and the oldest lacks: used where it is, not missed where it is not."""

from collections.abc import Iterator

import pytest
import torch
from safetensors.torch import load_file

from .prompts import node, portrait, segment
from .server import Client, Server, checkout

pytestmark = pytest.mark.host

# What main.py does where it finds a graphics card for dynamic VRAM, done here without one: the patcher falls
# back to the plain one on a CPU, but layers are already made without weights, and get them when they load.
DYNAMIC = """
import comfy.memory_management
import comfy.model_patcher
import comfy.ops

comfy.memory_management.aimdo_enabled = True
comfy.model_patcher.CoreModelPatcher = comfy.model_patcher.ModelPatcherDynamic
assert comfy.ops.disable_weight_init.Linear(2, 2).weight is None
NODE_CLASS_MAPPINGS = {}
"""
newest = pytest.mark.parametrize("host", ["newest"], indirect=True, scope="session")


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    found = checkout("newest")
    if reason := found.missing():
        pytest.skip(reason)
    server = Server(found, tmp_path_factory.mktemp("dynamic") / "comfyui")
    (server.folder / "custom_nodes" / "dynamic_vram.py").write_text(DYNAMIC, encoding="utf-8")
    with server as client:
        yield client


def latents(host: Client) -> torch.Tensor:
    save = node("SaveLatent", samples=["sample", 0], filename_prefix="newer")
    host.run({**segment(), "save": save})
    (path,) = (host.server.folder / "output").glob("newer_*.latent")
    return load_file(path)["latent_tensor"]


@newest
def test_a_checkpoint_loads_into_layers_that_begin_without_weights(host: Client, dynamic: Client):
    assert "IMPORT FAILED" not in dynamic.server.log_text()
    torch.testing.assert_close(latents(dynamic), latents(host), atol=1e-5, rtol=0)


def test_rarely_touched_inputs_are_folded_away_where_the_frontend_can(host: Client, object_info: dict):
    inputs = {
        f"{key}.{name}": options
        for key, info in object_info.items()
        if key.startswith("CyberHost")
        for name, (_, options) in {
            **info["input"].get("required", {}),
            **info["input"].get("optional", {}),
        }.items()
    }
    folded = {name for name, options in inputs.items() if options.get("advanced")}
    persons = {name for name in inputs if name.endswith(".person")}
    assert persons
    assert persons & folded == (persons if host.version == "newest" else set())


def test_what_a_node_shows_comes_back_from_the_cache(host: Client):
    """A page that was reloaded has forgotten it, and a second run computes nothing."""
    prompt = portrait(
        clarity=node("CyberHostHandClarity", image=["example", 0], pose=["detect", 0], person=-1),
        show=node("PreviewImage", images=["clarity", 1]),
    )
    first, second = host.run(prompt), host.run(prompt)
    assert "cyberhost_clarity" in first["clarity"]
    assert second["clarity"] == first["clarity"]
