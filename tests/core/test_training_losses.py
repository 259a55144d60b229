"""The losses of a batch: when local enhancement acts, what each weighs, and which parameters they reach."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from cyberhost_core.backbone.conditions import Taps
from cyberhost_core.diffusion.schedule import NoiseSchedule
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.training.batch import Batch
from cyberhost_core.training.batches import BatchMaker, SamplingConfig
from cyberhost_core.training.first_stages import basic_modules
from cyberhost_core.training.losses.face_details import FaceDetails
from cyberhost_core.training.losses.local_enhancement import LocalEnhancement
from cyberhost_core.training.losses.loss import Answer
from cyberhost_core.training.losses.parts_reweighting import PartsReweighting
from cyberhost_core.training.losses.region_masks import RegionMasks
from cyberhost_core.training.stage import TrainingModule

FRAMES = 3
NEVER_DROP = SamplingConfig(drop=(), drop_past=0)
LOSSES = (LocalEnhancement(), RegionMasks())


def losses_of(module: TrainingModule, batch: Batch) -> dict[str, float]:
    with torch.no_grad():
        return {name: float(value) for name, value in module(batch).items()}


def test_local_enhancement_acts_below_500_and_in_half_of_the_cases(
    small_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    batch = BatchMaker(make_store(small_spec), small_spec, NEVER_DROP, frames=FRAMES, seed=0, losses=LOSSES)[
        0
    ]
    module = TrainingModule(build(small_spec), LOSSES)

    def losses(timestep: int, chance: float) -> dict[str, float]:
        told = replace(batch, timestep=torch.tensor([timestep]), chance=torch.tensor([chance]))
        return losses_of(module, told)

    assert losses(499, 0.4)["heatmap"] > 0
    assert losses(500, 0.4)["heatmap"] == 0
    assert losses(499, 0.6)["heatmap"] == 0
    assert losses(499, 0.4)["denoising"] > losses(499, 0.6)["denoising"]
    assert losses(499, 0.4)["hands_mask"] == losses(499, 0.6)["hands_mask"] > 0


def test_mask_losses_carry_their_weights(
    small_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    batch = BatchMaker(make_store(small_spec), small_spec, NEVER_DROP, frames=FRAMES, seed=0, losses=LOSSES)[
        0
    ]
    model = build(small_spec)
    paper = losses_of(TrainingModule(model, LOSSES), batch)
    one = losses_of(
        TrainingModule(model, (LocalEnhancement(), RegionMasks(hands_weight=1, face_weight=1))), batch
    )
    assert paper["hands_mask"] == pytest.approx(0.005 * one["hands_mask"])
    assert paper["face_mask"] == pytest.approx(0.001 * one["face_mask"])


def test_an_error_at_eyes_or_mouth_costs_more_and_one_elsewhere_does_not(
    small_spec: SystemSpec, make_store: Callable
) -> None:
    loss = FaceDetails(weight=3)
    made = BatchMaker(make_store(small_spec), small_spec, NEVER_DROP, frames=FRAMES, seed=0, losses=(loss,))[
        0
    ]
    mask = torch.zeros_like(made.targets["face_details_mask"])
    mask[:, :, 1, 1], mask[:, :, 2, 0] = 1, 0.5
    batch = replace(made, targets={"face_details_mask": mask})

    def costs(error: torch.Tensor) -> float:
        answer = Answer(
            batch=batch,
            predicted_NCHW=error.expand(-1, small_spec.unet.latent_channels, -1, -1),
            target_NCHW=torch.zeros(()),
            taps=Taps(),
            schedule=NoiseSchedule(small_spec.schedule),
        )
        return float(loss.build(small_spec, {})(answer)["face_details"])

    cells = mask.shape[-2] * mask.shape[-1]
    assert costs((mask == 0).float()) == 0
    assert costs(2 * (mask > 0).float()) == pytest.approx(3 * 4 * 1.5 / cells)


def test_a_system_without_rams_has_the_denoising_loss_alone(
    small_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    spec = basic_modules(small_spec)
    batch = BatchMaker(make_store(small_spec), spec, NEVER_DROP, frames=1, seed=0, losses=LOSSES)[0]
    losses = losses_of(TrainingModule(build(spec), LOSSES), batch)
    assert {name for name, value in losses.items() if value} == {"denoising"}


def test_every_parameter_learns_but_the_end_of_the_reference_net_that_nobody_reads(
    small_spec: SystemSpec, build: Callable, make_store: Callable, fill: Callable
) -> None:
    batch = BatchMaker(make_store(small_spec), small_spec, NEVER_DROP, frames=FRAMES, seed=0, losses=LOSSES)[
        0
    ]
    module = TrainingModule(build(small_spec).requires_grad_(True).train(), LOSSES)
    fill(module.losses)
    told = replace(batch, timestep=torch.tensor([100]), chance=torch.tensor([0.1]))
    torch.stack(list(module(told).values())).sum().backward()
    idle = {name for name, value in module.named_parameters() if value.grad is None or not value.grad.any()}
    last = r"model\.reference_net\.up_blocks\.1\.attentions\.1\."
    end = last + r"(proj_out|transformer_blocks\.0\.(attn1|norm3|ff))\..*"
    assert idle
    assert not {name for name in idle if not re.fullmatch(end, name)}


def test_parts_reweighting_is_the_weighted_error_in_any_systems_stage(
    small_spec: SystemSpec, build: Callable, make_store: Callable
) -> None:
    """CyberHost's included: PAHA's loss asks nothing of the network."""
    losses = (*LOSSES, PartsReweighting(weight=0.5))
    batch = BatchMaker(make_store(small_spec), small_spec, NEVER_DROP, frames=FRAMES, seed=0, losses=losses)[
        0
    ]
    module = TrainingModule(build(small_spec), losses)
    with torch.no_grad():
        answer = module.answer(batch)
        found = float(module(batch)["parts_reweighting"])
    weights, total = batch.targets["parts_weight"], 0.0
    assert weights.shape == (FRAMES, 1, 4, 3) and weights.min() >= 1 and weights.max() > 2
    error = answer.predicted_NCHW - answer.target_NCHW
    for frame in range(FRAMES):
        for row in range(4):
            for column in range(3):
                weight = float(weights[frame, 0, row, column])
                total += weight * float(error[frame, :, row, column].square().sum())
    assert found == pytest.approx(0.5 * total / error.numel(), rel=1e-4)
