"""Equation 6 of CyberHost and the mask losses of appendix E, written as loops."""

import numpy as np
import pytest
import torch

from cyberhost_core.training.losses.local_enhancement import (
    LocalEnhancement,
    choose_enhanced,
    local_enhancement_loss,
)
from cyberhost_core.training.losses.region_masks import mask_loss


def test_equation_6_reweights_the_error_and_adds_the_mean_heatmap_error() -> None:
    rng = np.random.default_rng(5)
    error, hands, face = rng.normal(size=(3, 4, 4, 2)), rng.random((3, 1, 4, 2)), rng.random((3, 1, 4, 2))
    heatmaps = {"a": rng.random((3, 21, 4, 2)), "b": rng.random((3, 21, 2, 1))}
    truth = {(4, 2): rng.random((3, 21, 4, 2)), (2, 1): rng.random((3, 21, 2, 1))}
    enhanced, alpha = [True, False, True], 1.0

    squared, terms = [], {path: [] for path in heatmaps}
    for row, channel, high, wide in np.ndindex(error.shape):
        weight = 1 + enhanced[row] * (alpha * hands[row, 0, high, wide] + alpha * face[row, 0, high, wide])
        squared.append(weight * error[row, channel, high, wide] ** 2)
    for path, predicted in heatmaps.items():
        for row, point, high, wide in np.ndindex(predicted.shape):
            at = row, point, high, wide
            difference = truth[predicted.shape[2:]][at] - predicted[at]
            terms[path].append(enhanced[row] * difference**2)

    denoising, heatmap = local_enhancement_loss(
        torch.from_numpy(error),
        hands_mask_N1HW=torch.from_numpy(hands),
        face_mask_N1HW=torch.from_numpy(face),
        heatmaps={path: torch.from_numpy(value) for path, value in heatmaps.items()},
        heatmap_gt={size: torch.from_numpy(value).float() for size, value in truth.items()},
        enhanced_N=torch.tensor(enhanced),
        config=LocalEnhancement(),
    )
    assert float(denoising) == pytest.approx(np.mean(squared), rel=1e-5)
    assert float(heatmap) == pytest.approx(np.mean([np.mean(terms["a"]), np.mean(terms["b"])]), rel=1e-5)


def test_local_enhancement_takes_half_of_the_clips_below_timestep_500_and_none_above() -> None:
    generator = torch.Generator().manual_seed(6)
    timestep = torch.randint(1000, (20_000,), generator=generator)
    chosen = choose_enhanced(timestep, torch.rand(20_000, generator=generator), config=LocalEnhancement())
    assert not chosen[timestep >= 500].any()
    assert float(chosen[timestep < 500].float().mean()) == pytest.approx(0.5, abs=0.02)
    single = torch.full((20_000,), 17)
    each = choose_enhanced(single, torch.rand(20_000, generator=generator), config=LocalEnhancement())
    assert float(each.float().mean()) == pytest.approx(0.5, abs=0.02), (
        "one timestep is not always or never chosen"
    )


def test_the_mask_loss_is_the_mean_squared_error_to_the_box_at_the_size_of_each_ram() -> None:
    rng = np.random.default_rng(7)
    box = rng.integers(0, 2, (2, 1, 4, 4)).astype(float)
    logits = {"fine": rng.normal(size=(2, 1, 4, 4)), "coarse": rng.normal(size=(2, 1, 2, 2))}
    pooled = np.zeros((2, 1, 2, 2))
    for row, _, high, wide in np.ndindex(pooled.shape):
        pooled[row, 0, high, wide] = np.mean(box[row, 0, 2 * high : 2 * high + 2, 2 * wide : 2 * wide + 2])
    expected = [
        np.mean(
            [(sigmoid(value) - gt) ** 2 for value, gt in zip(logits[name].flat, target.flat, strict=True)]
        )
        for name, target in (("fine", box), ("coarse", pooled))
    ]
    found = mask_loss({k: torch.from_numpy(v) for k, v in logits.items()}, torch.from_numpy(box).float())
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
