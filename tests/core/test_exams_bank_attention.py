"""The entropy of attention says who chooses: constructed queries and keys, and the bundled model's banks."""

import json

import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.cli.main import OK, UNUSABLE, main
from cyberhost_core.exams.bank_attention import entropies


def test_attention_that_chooses_nothing_has_entropy_one_and_one_choice_none() -> None:
    keys = 50.0 * torch.eye(8).repeat(1, 2)  # two heads of 8 channels, 8 keys
    queries = torch.zeros(3, 16)
    queries[1, :8], queries[2, 8:] = 50.0 * torch.eye(8)[0], 50.0 * torch.eye(8)[5]
    expected = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    torch.testing.assert_close(entropies(queries, keys, heads=2), expected)


def test_two_equal_choices_of_four_are_half_of_the_highest_entropy() -> None:
    keys = torch.tensor([[60.0, 0], [60.0, 0], [0, 0], [0, 0]])
    assert float(entropies(torch.tensor([[60.0, 0]]), keys, heads=1)) == pytest.approx(0.5)


def test_every_bank_of_the_bundled_model_is_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "banks", "--json"]) == OK
    report = json.loads(capsys.readouterr().out)
    rows = report["banks"]
    sites = {row["layer"].rsplit(".", 2)[0] for row in rows}
    assert sites == {"down_blocks.0", "down_blocks.1", "mid_block", "up_blocks.0", "up_blocks.1"}
    assert len({(row["layer"], row["bank"]) for row in rows}) == len(rows) == 7 * 2 * 2
    assert {row["vectors"] for row in rows if row["bank"] == "temporal"} == {16}
    assert all(0 <= row["lowest"] <= row["entropy"] <= 1 for row in rows)
    assert min(row["entropy"] for row in rows) < 0.9, "some region chooses"


def test_a_system_without_banks_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "banks", "-c", str(bundled.HANDS_CHECKPOINT)]) == UNUSABLE
    assert "'emo2-tiny' has no latents banks; give weights of a system that has." in capsys.readouterr().err
