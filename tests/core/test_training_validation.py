"""Held-out errors: of everything, where face and hands are, and with another clip's sound."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from cyberhost_core.training import validation
from cyberhost_core.training.batch import Batch


def test_errors_of_parts_are_read_where_the_parts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two frames of two cells: the face is the first cell, hands are in the second frame alone."""
    true, wrong = torch.tensor([[1.0, 5.0], [3.0, 7.0]]), torch.tensor([[4.0, 0.0], [8.0, 0.0]])
    masks = {
        "face_mask": torch.tensor([[1.0, 0.0], [1.0, 0.0]]),
        "hands_mask": torch.tensor([[0.0, 0.0], [0.0, 1.0]]),
    }

    def error(_module: object, batch: Batch) -> Tensor:
        return wrong if float(batch.drive["audio"][0]) == 2.0 else true

    monkeypatch.setattr(validation, "_error", error)
    monkeypatch.setattr(validation, "TrainingModule", lambda model, _losses: SimpleNamespace(model=model))
    monkeypatch.setattr(
        validation, "replace", lambda batch, **changes: SimpleNamespace(**vars(batch) | changes)
    )
    batch: Any = SimpleNamespace(drive={"audio": torch.tensor([1.0, 2.0])}, targets=masks)
    found = validation.held_out_errors(None, batch)  # type: ignore[arg-type]
    assert found == {"held_out": 4.0, "held_out_face": 2.0, "held_out_hands": 7.0, "audio_gap": 2.0}
