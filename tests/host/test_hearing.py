"""Audio encoders on a real ComfyUI: each hears as its checkpoint was trained; Cancel stops between pieces."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from .server import VERSIONS, checkout

pytestmark = pytest.mark.host

SCRIPT = Path(__file__).with_name("hearing_inside.py")
KINDS = ("wav2vec2", "wav2vec2_stretched", "whisper")


@pytest.fixture(scope="module", params=VERSIONS)
def said(request: pytest.FixtureRequest) -> dict[str, dict]:
    found = checkout(request.param)
    if reason := found.missing():
        pytest.skip(reason)
    ran = subprocess.run(
        [found.python, SCRIPT],
        cwd=found.folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize(
    ("kind", "width"), [("wav2vec2", 5 * 16), ("wav2vec2_stretched", 3 * 16), ("whisper", 10 * 3 * 12)]
)
def test_our_node_hears_as_the_checkpoint_does(said: dict[str, dict], kind: str, width: int) -> None:
    """3.01 s at 24 frames per second are 73 frames."""
    assert said[kind]["hearing"] == kind
    assert said[kind]["shape"] == [73, width]
    assert said[kind]["off"] == 0


@pytest.mark.parametrize("kind", ["wav2vec2", "wav2vec2_stretched"])
def test_native_nodes_get_plain_wav2vec2(said: dict[str, dict], kind: str) -> None:
    assert said[f"{kind}, through a native node"]["hearing"] == "wav2vec2"
    assert said[f"{kind}, through a native node"]["shape"] == [73, 5 * 16]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("whisper, to a native node", ["hearing is 'whisper'", "connect its audio_encoder to Wav2Vec Audio"]),
        (
            "ComfyUI's Whisper",
            ["a Whisper from Load Audio Encoder", "connect Load CyberHost's audio_encoder"],
        ),
        ("ComfyUI's Whisper, encoded", ["[2, 1, 1500, 16]", "150 steps", "Load CyberHost's audio_encoder"]),
    ],
)
def test_what_cannot_be_heard_with_is_named(said: dict[str, dict], case: str, words: list[str]) -> None:
    assert [word for word in words if word not in said[case]["error"]] == []


@pytest.mark.parametrize("kind", KINDS)
def test_cancel_stops_between_pieces(said: dict[str, dict], kind: str) -> None:
    assert said[f"{kind}, cancelled"]["stopped"]
