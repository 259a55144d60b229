"""Native manners: ComfyUI's own samplers, LoRA loader and previews work on our MODEL."""

from pathlib import Path

import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.pipeline.options import Driving, GenerateOptions

from .core_runs import talking
from .events import Events
from .latents import latents
from .loras import lora, with_lora
from .prompts import natively_guided, node, segment
from .server import Client

pytestmark = pytest.mark.host

STEPS, SEED = 3, 5
SIGMAS = node("BasicScheduler", model=["load", 0], scheduler="simple", steps=STEPS, denoise=1.0)
NOISE = node("RandomNoise", noise_seed=SEED)


@pytest.fixture(scope="session")
def ours(host: Client) -> torch.Tensor:
    """What the RAM U-Net Sampler gives for 12 frames."""
    return latents(host, segment(sigmas=SIGMAS, noise=NOISE), "sample", "ours")


def test_the_sampler_equals_the_cores_own_pipeline(ours: torch.Tensor) -> None:
    """Within 0.02 of latents of unit variance; the schedule's last sigma is 4519 there and infinite here."""
    options = GenerateOptions(steps=STEPS, seed=SEED, sampler="ddim", driving=Driving(movement=(0.2, 0.1)))
    expected = talking(bundled.CHECKPOINT, options)
    assert ours.shape == expected.shape == (12, 16, 16, 12)
    assert float(expected.std()) > 0.5
    torch.testing.assert_close(ours, expected, atol=0.02, rtol=0)


def test_native_dual_guidance_gives_one_segment(host: Client, ours: torch.Tensor) -> None:
    prompt = natively_guided(segment(sigmas=SIGMAS, noise=NOISE))
    found = latents(host, prompt, "native", "native")
    # of a segment of 12 frames the RAM U-Net Sampler keeps the first 10 and makes the rest again
    torch.testing.assert_close(found[:10], ours[:10], atol=1e-4, rtol=0)


def test_a_lora_changes_what_the_denoiser_draws(host: Client, ours: torch.Tensor, tmp_path: Path) -> None:
    name = host.add_model("loras", lora(tmp_path / "test-lora.safetensors"))
    changed = latents(host, with_lora(segment(sigmas=SIGMAS, noise=NOISE), name), "sample", "lora")
    assert torch.isfinite(changed).all()
    assert float((changed - ours).abs().mean()) > 0.01
    assert "lora key not loaded" not in host.server.log_text()


def test_each_step_is_reported_with_a_preview(host: Client) -> None:
    prompt = segment(sigmas=SIGMAS, noise=node("RandomNoise", noise_seed=77))
    prompt["save"] = node("SaveLatent", samples=["sample", 0], filename_prefix="previewed")
    with Events(host) as events:
        told = events.until_the_end(host.start(prompt, client_id=events.client_id))
    steps = [
        (data["value"], data["max"]) for kind, data in told if kind == "progress" and data["node"] == "sample"
    ]
    segments = 2  # 12 frames, 10 kept
    assert steps[-1] == (segments * STEPS, segments * STEPS)
    assert [value for value, _ in steps] == sorted({value for value, _ in steps})
    assert len([kind for kind, _ in told if kind == "preview"]) >= segments * STEPS
