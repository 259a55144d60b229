"""`cyberhost convert mano`: a MANO hand becomes a file that loads; anything else is one sentence."""

import os
import pickle

import numpy as np

from cyberhost_core.cli.main import main
from cyberhost_core.hands.drawing.mano_file import load_mano

from .mano_files import mano_arrays, write_mano


class Runs:
    """Asks the reader of its pickle to make a file."""

    def __init__(self, mark) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def said(capsys, *arguments: str) -> tuple[int, str]:
    code = main(["convert", "mano", *arguments])
    shown = capsys.readouterr()
    assert shown.err.count("\n") <= 1 and "Traceback" not in shown.err
    return code, shown.out + shown.err


def test_a_mano_hand_becomes_a_file_that_loads(tmp_path, capsys):
    for side in ("left", "right"):
        source = write_mano(tmp_path / f"{side}.pkl", mano_arrays(side))
        out = tmp_path / "made" / f"{side}.safetensors"
        code, text = said(capsys, str(source), "--out", str(out))
        assert code == 0 and f"a {side} hand" in text
        surface = load_mano(out)
        assert surface.side == side and len(surface.vertices_V3) == len(mano_arrays(side)["v_template"])


def test_what_is_no_mano_hand_is_refused_in_one_sentence_and_leaves_nothing(tmp_path, capsys):
    out, mark = tmp_path / "hand.safetensors", tmp_path / "ran"
    (tmp_path / "text.pkl").write_text("hello")
    (tmp_path / "other.pkl").write_bytes(pickle.dumps({"v_template": np.zeros((5, 3))}))
    (tmp_path / "code.pkl").write_bytes(pickle.dumps({**mano_arrays(), "extra": Runs(mark)}))
    for name, words in (
        ("none.pkl", "missing or damaged"),
        ("text.pkl", "cannot be read as a MANO file"),
        ("other.pkl", "has no array 'J_regressor'"),
        ("code.pkl", "could run code, and was refused"),
    ):
        code, text = said(capsys, str(tmp_path / name), "--out", str(out))
        assert code == 2 and words in text and name in text, text
        assert not out.exists() and not mark.exists()


def test_the_file_to_write_must_be_named_as_what_it_is(tmp_path, capsys):
    source = write_mano(tmp_path / "hand.pkl", mano_arrays())
    code, text = said(capsys, str(source), "--out", str(tmp_path / "hand.bin"))
    assert code == 2 and "must end with .safetensors" in text
