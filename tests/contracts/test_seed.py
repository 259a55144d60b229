"""Random numbers that a test draws without a seed of its own start from --seed, whatever ran before."""

import random

import numpy as np
import pytest
import torch


@pytest.mark.parametrize("time", ["first", "again"])
def test_every_test_starts_from_the_seed(time: str, pytestconfig: pytest.Config) -> None:
    seed = pytestconfig.getoption("--seed")
    assert random.random() == random.Random(seed).random()
    assert np.random.rand() == np.random.RandomState(seed).rand()
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(seed))
