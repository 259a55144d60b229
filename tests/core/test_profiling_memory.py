"""Memory is counted as it is used: constructed cases with known answers, and a real run beside the plan."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as nnf
from torch.profiler import ProfilerActivity, profile

from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.checkpoints.autoencoders import Autoencoder, usual_autoencoder
from cyberhost_core.checkpoints.file import Checkpoint, save_checkpoint
from cyberhost_core.checkpoints.peers import plan_peer
from cyberhost_core.cli.main import OK, UNUSABLE, main
from cyberhost_core.errors import ConfigError
from cyberhost_core.guidance.dual import DualGuidance
from cyberhost_core.profiling.fake_tensors import fake_tensors
from cyberhost_core.profiling.live_bytes import LiveBytes
from cyberhost_core.profiling.memory_plan import MemoryPlan, plan_memory
from cyberhost_core.profiling.random_inputs import RandomInputs, Size
from cyberhost_core.sampling.network import GuidedNetwork, Moment
from cyberhost_core.systems.cyberhost import paper, tiny, without_face_ram, without_hand_ram
from cyberhost_core.systems.model import SystemModel, count_parameters
from cyberhost_core.systems.public import PEERS, PeerConfig
from cyberhost_core.systems.published import published
from cyberhost_core.systems.spec import SystemSpec

from .weight_files import peer_shapes, random_weights, shrunk, write_sparse

SMALL = without_face_ram(without_hand_ram(tiny()))
SPEC = SMALL.derive(height=64, width=48, unet=SMALL.unet.derive(channels=(16, 16)))
Result = TypeVar("Result")
ROWS, WIDTH = 1000, 50
TENSOR = ROWS * WIDTH * 4  # bytes of one activation in the constructed cases


@pytest.fixture(params=["real", "fake"])
def counted(request: pytest.FixtureRequest) -> Callable[[Callable[..., object]], tuple[int, int]]:
    """Run a network of five layers on an input that is there already: what is left, and the peak."""

    def counted(run: Callable[..., object]) -> tuple[int, int]:
        def count() -> tuple[int, int]:
            layers = [nn.Linear(WIDTH, WIDTH) for _ in range(5)]
            x = torch.randn(ROWS, WIDTH)
            there = [x, *(parameter for layer in layers for parameter in layer.parameters())]
            with torch.no_grad(), LiveBytes(there) as counter:
                kept = run(x, *layers)
                left = counter.now
                del kept
            assert counter.now == 0
            return left, counter.peak

        if request.param == "real":
            return count()
        with fake_tensors():
            return count()

    return counted


def test_a_chain_holds_the_input_and_the_output_of_one_layer(counted: Callable) -> None:
    def chain(x: Tensor, *layers: nn.Module) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    assert counted(chain) == (TENSOR, 2 * TENSOR)


def test_a_skip_connection_is_held_until_it_is_taken_back(counted: Callable) -> None:
    def skipping(x: Tensor, first: nn.Module, *rest: nn.Module) -> Tensor:
        skip = h = first(x)
        for layer in rest:
            h = layer(h)
        return h + skip

    assert counted(skipping) == (TENSOR, 3 * TENSOR)


def test_views_and_changes_in_place_take_nothing(counted: Callable) -> None:
    def viewed(x: Tensor, first: nn.Module, *_: nn.Module) -> Tensor:
        return first(x).t()[5:].unflatten(0, (5, -1)).mul_(2)

    assert counted(viewed) == (TENSOR, TENSOR)


def test_a_view_keeps_the_whole_that_it_looks_into(counted: Callable) -> None:
    assert counted(lambda x, first, *_: first(x)[:1]) == (TENSOR, TENSOR)


def test_attention_does_not_hold_the_matrix_of_queries_and_keys(counted: Callable) -> None:
    """It would take 1000 x 1000 numbers, 20 activations; what fused kernels keep is one number per row."""

    def attend(x: Tensor, *_: nn.Module) -> Tensor:
        q = x.view(1, 1, ROWS, WIDTH)
        return nnf.scaled_dot_product_attention(q, q, q)

    assert counted(attend)[1] <= TENSOR + 4 * ROWS


def amounts(plan: MemoryPlan, dtype: str) -> dict[str, int]:
    return {row.name: row.bytes[dtype] for row in plan.segment}


def peak_of(run: Callable[[], Result]) -> tuple[Result, int]:
    """Run for real; the most bytes that torch's own allocator had given out since the start."""
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        result = run()
    now = peak = 0
    for event in recorded.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return result, peak


@pytest.fixture(params=["own", *(pytest.param(kind, marks=pytest.mark.slow) for kind in PEERS)])
def spec(request: pytest.FixtureRequest, small_spec: SystemSpec, tmp_path: Path) -> SystemSpec:
    """Every system there is, small, but large enough for its activations to outweigh everything else."""
    if request.param == "own":
        unet = small_spec.unet.derive(channels=(32, 64), latent_channels=16)
        return small_spec.derive(unet=unet, height=128, width=96)
    return small_public(request.param, tmp_path).derive(height=128, width=128)


def small_autoencoder(spec: SystemSpec) -> Autoencoder:
    config = TinyVAEConfig(
        latent_channels=spec.unet.latent_channels, encoder_widths=(8, 8), decoder_widths=(8, 8, 8)
    )
    return Autoencoder("a small autoencoder", lambda: TinyVAE(config), lambda vae, x: vae.decode(x))


def small_public(kind: str, folder: Path) -> SystemSpec:
    """A public model at a twentieth of its widths, as the converter understands its files."""
    path = folder / "published.safetensors"
    save_file(random_weights(shrunk(peer_shapes(kind))), path)
    return plan_peer(kind, [path], config=PeerConfig(norm_groups=8, motion_norm_groups=8)).spec


def test_the_plan_is_what_a_real_segment_takes(spec: SystemSpec) -> None:
    """Within 3 % of what torch's allocator gave out, stage by stage, in float32 on a CPU."""
    size = Size.of(spec)
    planned = amounts(
        plan_memory(spec, size, small_autoencoder(spec), dtypes={"fp32": torch.float32}), "fp32"
    )
    model = SystemModel(spec).eval().requires_grad_(False)
    inputs = RandomInputs(spec=spec, size=size, device=torch.device("cpu"), dtype=torch.float32)

    def read() -> tuple:
        reference = inputs.reference(model)
        return reference, inputs.drive(inputs.motion(model, reference))

    (reference, drive), reading = peak_of(read)
    assert reading == pytest.approx(planned["reading_peak"], rel=0.03)
    x = inputs.latents(size.frames)
    held_before = planned["reading_kept"] + x.nbytes

    def steps_together() -> object:
        network = GuidedNetwork(model, reference, drive, spec.guidance)
        for _ in range(2):
            network(x, Moment(torch.tensor(0), 0, 1.0))
        return network

    def steps_apart() -> object:
        passes = [
            model.conditions(reference, drive, missing=(seen.without,)) for seen in spec.guidance.weights()
        ]

        def predict_all() -> None:
            predicted = [model.denoiser(x, torch.zeros(1), conditions) for conditions in passes]
            assert len(predicted) == len(passes)  # all are held until they can be combined

        predict_all()
        predict_all()
        return passes

    for name, steps in (("together", steps_together), ("apart", steps_apart)):
        _, taken = peak_of(steps)
        most = max(planned[f"{name}_encoding_peak"], planned[f"{name}_step_peak"])
        assert held_before + taken == pytest.approx(most, rel=0.03), name
        assert taken > held_before  # the steps are what is compared, not what lay there before


@pytest.fixture(scope="module")
def plan() -> MemoryPlan:
    dtypes = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
    return plan_memory(SPEC, Size.of(SPEC), usual_autoencoder(SPEC), speech_parameters=1000, dtypes=dtypes)


@pytest.mark.slow
def test_16_bits_take_half_of_32(plan: MemoryPlan) -> None:
    """But for the speech encoder and what is always in 32, such as clarity scores: a few kB."""
    for row in (*plan.weights[:-2], *plan.segment):
        assert row.bytes["fp16"] == row.bytes["bf16"]
        assert row.bytes["fp16"] == pytest.approx(row.bytes["fp32"] / 2, rel=0.05), row.name


@pytest.mark.slow
def test_all_weights_are_counted_once(plan: MemoryPlan) -> None:
    rows = {row.name: row for row in plan.weights}
    vae = TinyVAE(TinyVAEConfig(latent_channels=16))
    counted = count_parameters(SystemModel(SPEC)) + sum(value.numel() for value in vae.parameters())
    assert rows["all"].parameters == counted + 1000
    assert rows["all"].bytes["bf16"] == 2 * counted + 4 * 1000
    assert sum(row.parameters for row in plan.weights) == 2 * rows["all"].parameters


@pytest.mark.slow
def test_passes_one_after_another_take_less_and_a_shorter_segment_too(plan: MemoryPlan) -> None:
    whole = amounts(plan, "bf16")
    bf16 = {"bf16": torch.bfloat16}
    half = amounts(plan_memory(SPEC, Size.of(SPEC, frames=6), usual_autoencoder(SPEC), dtypes=bf16), "bf16")
    assert whole["apart_step_peak"] < 0.5 * whole["together_step_peak"]
    assert half["together_step_peak"] < 0.65 * whole["together_step_peak"]
    assert half["decoding_peak"] == whole["decoding_peak"]


@pytest.mark.slow
def test_a_system_without_guidance_has_one_pass() -> None:
    spec = SPEC.derive(guidance=DualGuidance(reference_scale=1.0, audio_scale=1.0))
    plan = plan_memory(spec, Size.of(spec), usual_autoencoder(spec), dtypes={"bf16": torch.bfloat16})
    assert "1 pass, sound and map encoded: peak" in plan.to_text()
    found = amounts(plan, "bf16")
    assert found["apart_step_peak"] == pytest.approx(found["together_step_peak"], rel=0.05)


@pytest.mark.parametrize("kind", PEERS)
def test_a_public_system_by_name_is_the_one_in_its_published_files(kind: str, tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "published.safetensors", peer_shapes(kind))
    assert published(kind) == plan_peer(kind, [path]).spec


def test_stable_diffusions_autoencoder_decodes_latents_of_four_channels() -> None:
    with torch.device("meta"):
        autoencoder = usual_autoencoder(paper()).build()
        assert autoencoder.decode(torch.empty(1, 4, 8, 6)).sample.shape == (1, 3, 64, 48)
    # the size of sd-vae-ft-mse's file in float32, 334,643,276 bytes, without its names
    assert sum(value.numel() for value in autoencoder.state_dict().values()) == 83_653_863


def test_a_segment_that_the_system_cannot_make_is_refused(small_spec: SystemSpec) -> None:
    with pytest.raises(ConfigError, match="multiples of 8"):
        Size.of(small_spec, height=36)
    with pytest.raises(ConfigError, match=r"at most 28 frames at once, 29 were asked for"):
        Size.of(small_spec, frames=29)


@pytest.mark.slow
def test_the_command_counts_a_file_with_all_that_is_in_it(
    small_spec: SystemSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.safetensors"
    vae = TinyVAEConfig(latent_channels=4, encoder_widths=(8, 8), decoder_widths=(8, 8, 8))
    speech = ({"weight": torch.zeros(10, 10)}, {"hidden_size": 10})
    save_checkpoint(path, Checkpoint(model=SystemModel(small_spec), vae=TinyVAE(vae), audio_encoder=speech))
    assert main(["memory", "--checkpoint", str(path), "--frames", "4", "--json"]) == OK
    plan = json.loads(capsys.readouterr().out)
    assert plan["title"] == "Memory of small, 32 x 24 x 4 frames"
    assert list(plan["segment"][0]["bytes"]) == ["fp16", "bf16"]
    counts = {row["name"]: row["parameters"] for row in plan["weights"]}
    assert counts["autoencoder"] == sum(value.numel() for value in TinyVAE(vae).parameters())
    assert counts["audio_encoder (float32)"] == 100


@pytest.mark.slow
def test_the_table_names_every_amount_and_what_is_not_counted(plan: MemoryPlan) -> None:
    text = plan.to_text()
    assert all(row.label in text for row in (*plan.weights, *plan.segment))
    assert "3 passes together" in text
    assert "Attention is counted as fused kernels run it" in text


def test_a_system_that_is_not_there_ends_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "cyberghost"]) == UNUSABLE
    assert "There is no system 'cyberghost'; choose one of: cyberhost," in capsys.readouterr().err
