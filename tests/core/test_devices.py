"""Everything is computed where the weights lie: nothing that a model makes for itself stays on the CPU.

Fake tensors of another device stand in for a graphics card: where two devices meet, they refuse as it does.
"""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from cyberhost_core.checkpoints.peers import plan_peer
from cyberhost_core.conditioners.reference_input import ReferenceInput
from cyberhost_core.profiling.random_inputs import RandomInputs, Size
from cyberhost_core.sampling.network import GuidedNetwork, Moment
from cyberhost_core.systems.model import SystemModel, on_meta
from cyberhost_core.systems.public import PEERS, PeerConfig
from cyberhost_core.systems.spec import SystemSpec

from .weight_files import peer_shapes, random_weights, shrunk

ELSEWHERE = torch.device("meta")


@pytest.fixture(params=["own", *(pytest.param(kind, marks=pytest.mark.slow) for kind in PEERS)])
def spec(request: pytest.FixtureRequest, small_spec: SystemSpec, tmp_path: Path) -> SystemSpec:
    if request.param == "own":
        return small_spec.derive(conditioners=(*small_spec.conditioners, ReferenceInput()))
    path = tmp_path / "published.safetensors"
    save_file(random_weights(shrunk(peer_shapes(request.param))), path)
    config = PeerConfig(norm_groups=8, motion_norm_groups=8)
    return plan_peer(request.param, [path], config=config).spec.derive(height=64, width=64)


def moved(model: SystemModel) -> SystemModel:
    """Give the model fakes for weights and tables, as `model.to(device)` would have moved them."""
    for part in model.modules():
        for name, value in list(part.named_parameters(recurse=False)):
            setattr(part, name, nn.Parameter(torch.empty(value.shape, device=ELSEWHERE), requires_grad=False))
        for name, value in list(part.named_buffers(recurse=False)):
            setattr(part, name, torch.empty(value.shape, device=ELSEWHERE))
    return model.eval()


def test_a_segment_is_computed_on_one_device(spec: SystemSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no such device
    model, predicted = on_meta(spec), Tensor()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        moved(model)
        inputs = RandomInputs(spec=spec, size=Size.of(spec, frames=4), device=ELSEWHERE, dtype=torch.float32)
        reference = inputs.reference(model)
        drive = inputs.drive(inputs.motion(model, reference))
        x, timestep = inputs.latents(4), torch.zeros((), device=ELSEWHERE)
        network = GuidedNetwork(model, reference, drive, spec.guidance)
        predicted = network(x, Moment(timestep, 0, 1.0))
    assert predicted.device == ELSEWHERE
    assert predicted.shape == x.shape
