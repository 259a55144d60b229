"""Convert in a process of its own and print the most memory that it took above what it had before.

Before means: modules imported, those included that torch only loads when a network is first planned.

peak       resident memory at its highest, as the kernel counts it: mapped pages of the files included
anonymous  the same without mapped pages, sampled before each tensor is written

Usage: python measure_converting.py '{"kind": ..., "sources": [...], "out": ..., "config": {...}}'
       python measure_converting.py '{"unet": ..., "motion": ..., "out": ...}'
"""

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from cyberhost_core.checkpoints.accounting import Report
from cyberhost_core.checkpoints.assemble import assemble
from cyberhost_core.checkpoints.peers import convert_peer
from cyberhost_core.systems.cyberhost import tiny
from cyberhost_core.systems.model import on_meta
from cyberhost_core.systems.public import PeerConfig


def held(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found
    return int(found[1]) << 10


def run(job: dict[str, Any], anonymous: list[int]) -> Report:
    def on_bytes(_done: int, _total: int) -> None:
        anonymous.append(held("RssAnon"))

    out = Path(job["out"])
    if "kind" in job:
        sources, config = map(Path, job["sources"]), PeerConfig(**job["config"])
        return convert_peer(job["kind"], sources, out, config=config, on_bytes=on_bytes)
    return assemble(Path(job["unet"]), Path(job["motion"]), out, on_bytes=on_bytes)


if __name__ == "__main__":
    on_meta(tiny())
    before, anonymous = held("VmRSS"), [held("RssAnon")]
    assert held("VmHWM") < before + (8 << 20), "the highest mark must be of what comes now"
    begun = time.monotonic()
    report = run(json.loads(sys.argv[1]), anonymous)
    measured = {
        "peak": held("VmHWM") - before,
        "anonymous": max(anonymous) - anonymous[0],
        "bytes": report.bytes,
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(measured))  # noqa: T201
