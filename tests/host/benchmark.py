"""Time the shipped talking-body workflow on a real ComfyUI, stage by stage.

    make bench-host        or: python -m tests.host.benchmark [--version floor] [--json]

a server of its own, fresh -> the workflow as the browser sends it -> events -> seconds from node to node
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from cyberhost_core.media.video import iter_frames
from cyberhost_core.reports.machine import describe_machine
from cyberhost_core.reports.tables import aligned

from .events import Events
from .graph import prompt_from_workflow
from .server import REPOSITORY, VERSIONS, Client, Server, checkout

WORKFLOW = "talking_body"
RUN_SECS = 1200


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What one run took, and where.

    Units:    stages: seconds per node in the order in which they ran; memory of the server in MiB
    """

    versions: dict[str, str]
    machine: str
    load_average: float
    steps: int
    frames: int
    stages: list[tuple[str, float]]
    import_secs: float
    memory_before_mb: float
    memory_peak_mb: float

    @property
    def seconds(self) -> float:
        return sum(seconds for _, seconds in self.stages)

    def to_json(self) -> str:
        """Write as JSON, the sum included."""
        return json.dumps(asdict(self) | {"seconds": self.seconds}, indent=2)

    def to_text(self) -> str:
        """Write as an aligned table of plain text."""
        cells = [("stage", "seconds", "per frame")]
        cells += [(name, f"{secs:.2f}", f"{secs / self.frames:.4f}") for name, secs in self.stages]
        cells += [("all of it", f"{self.seconds:.2f}", f"{self.seconds / self.frames:.4f}")]
        return "\n".join(
            [
                f"{WORKFLOW}: {self.frames} frames in {self.steps} steps",
                ", ".join(f"{name} {version}" for name, version in self.versions.items()),
                f"{self.machine}, load average {self.load_average:.1f} before",
                "",
                *aligned(cells, left=(0,)),
                "",
                f"importing the pack {self.import_secs:.1f} s",
                f"memory {self.memory_before_mb:.0f} MB before the run, {self.memory_peak_mb:.0f} MB at most",
            ]
        )


def measure(version: str, folder: Path) -> Benchmark:
    """Run the workflow once on a fresh server.

    Raises:   ServerError: it does not start; RunError: the run fails
    """
    load_average = os.getloadavg()[0]
    with Server(checkout(version), folder) as client:
        info = client.object_info()
        path = REPOSITORY / "workflows" / f"{WORKFLOW}.json"
        prompt = prompt_from_workflow(json.loads(path.read_text(encoding="utf-8")), info)
        before_mb = client.server.memory_mb()
        stages = timed(client, prompt)
        (video,) = (client.server.folder / "temp").rglob("*.mp4")
        scheduler = next(node for node in prompt.values() if node["class_type"] == "BasicScheduler")
        return Benchmark(
            versions=versions(client),
            machine=describe_machine().partition(", torch")[0],
            load_average=load_average,
            steps=scheduler["inputs"]["steps"],
            frames=sum(len(piece_FYXC) for piece_FYXC in iter_frames(video)),
            stages=[(title(info[prompt[key]["class_type"]]), secs) for key, secs in stages],
            import_secs=client.server.import_secs(),
            memory_before_mb=before_mb,
            memory_peak_mb=client.server.memory_mb(),
        )


def timed(client: Client, prompt: dict[str, dict]) -> list[tuple[str, float]]:
    """Run a prompt; give the seconds from each node's start to the next one's."""
    starts: list[tuple[str, float]] = []
    with Events(client, seconds=RUN_SECS) as events:
        prompt_id = client.start(prompt, client_id=events.client_id)
        for kind, data in events:
            if kind == "executing" and data["node"]:
                starts.append((data["node"], time.monotonic()))
            if kind in ("execution_success", "execution_error", "execution_interrupted"):
                break
    end = time.monotonic()
    client.wait(prompt_id)
    ends = [*(start for _, start in starts[1:]), end]
    return [(key, stop - start) for (key, start), stop in zip(starts, ends, strict=True)]


def title(info: dict) -> str:
    """What a node is called on the canvas; some of ComfyUI's have no name but their id."""
    return info["display_name"] or info["name"]


def versions(client: Client) -> dict[str, str]:
    system = client.get("/system_stats")["system"]
    return {
        "ComfyUI": system["comfyui_version"],
        "Python": system["python_version"].split()[0],
        "torch": system["pytorch_version"],
    }


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description="Time the talking-body workflow on a real ComfyUI.")
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0], help="which ComfyUI")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    if reason := checkout(chosen.version).missing():
        parser.error(f"{reason}; set COMFYUI_PATH to the folder of a ComfyUI with a venv in it")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(chosen.version, Path(folder) / "comfyui")
    sys.stdout.write((found.to_json() if chosen.json else found.to_text()) + "\n")


if __name__ == "__main__":
    main()
