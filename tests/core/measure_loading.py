"""Load a checkpoint in a process of its own and print the memory that is not the file's: kept, and at most.

Usage: python measure_loading.py FILE DTYPE
"""

import json
import re
import sys
import threading
import time
from pathlib import Path

import torch

from cyberhost_core.checkpoints.file import load_checkpoint


def anonymous_bytes() -> int:
    """What the process holds besides mapped files, as the kernel counts it."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found
    return int(found[1]) << 10


def watch(highest: list[int], done: threading.Event) -> None:
    while not done.is_set():
        highest[0] = max(highest[0], anonymous_bytes())
        time.sleep(0.001)


if __name__ == "__main__":
    before = anonymous_bytes()
    highest, done = [before], threading.Event()
    watcher = threading.Thread(target=watch, args=(highest, done))
    watcher.start()
    checkpoint = load_checkpoint(Path(sys.argv[1]), dtype=getattr(torch, sys.argv[2]))
    done.set()
    watcher.join()
    print(json.dumps({"kept": anonymous_bytes() - before, "peak": highest[0] - before}))  # noqa: T201
