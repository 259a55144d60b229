"""A checkpoint may list any kind of conditioner and guidance, whatever was imported before it is read."""

import json
import subprocess
import sys
from pathlib import Path

import cyberhost_core
from cyberhost_core.systems.published import published

ROOT = Path(cyberhost_core.__file__).parents[1]


def read_alone(text: str) -> str:
    """Read a specification in a fresh Python that has imported the reader and nothing else."""
    program = (
        "import sys; from cyberhost_core.checkpoints.specs import read_spec\n"
        "print(read_spec(sys.stdin.read()).to_json())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, input=text, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_every_conditioner_of_a_public_model_is_known() -> None:
    text = published("hallo").to_json()
    assert read_alone(text) == text


def test_every_guidance_is_known() -> None:
    told = json.loads(published("animate-anyone").to_json())
    plain = {"kind": "plain", "scale": 2.0}
    told["guidance"] = {"kind": "interval", "within": plain, "lowest": 0.2, "highest": 0.9}
    assert json.loads(read_alone(json.dumps(told)))["guidance"] == told["guidance"]
