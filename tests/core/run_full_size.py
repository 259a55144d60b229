"""Run the paper's model once at low resolution in a process of its own; print time and memory as JSON."""

import json
import threading
import time

import torch
from measure_loading import anonymous_bytes, watch

from cyberhost_core.profiling.random_inputs import RandomInputs, Size
from cyberhost_core.profiling.random_model import random_model
from cyberhost_core.systems.cyberhost import paper
from cyberhost_core.systems.model import count_parameters

MIB = 2**20


def seconds_since(began: float) -> float:
    return round(time.perf_counter() - began, 1)


@torch.inference_mode()
def run() -> dict[str, object]:
    spec, dtype, cpu = paper(), torch.bfloat16, torch.device("cpu")
    size = Size.of(spec, height=64, width=64, frames=2)
    began = time.perf_counter()
    model = random_model(spec, dtype=dtype, device=cpu)
    built = seconds_since(began)
    inputs = RandomInputs(spec=spec, size=size, device=cpu, dtype=dtype)
    began = time.perf_counter()
    reference = inputs.reference(model)
    drive = inputs.drive(inputs.motion(model, reference))
    conditions = model.conditions(reference, drive)
    read = seconds_since(began)
    began = time.perf_counter()
    predicted = model.denoiser(inputs.latents(size.frames), torch.tensor([500.0]), conditions)
    return {
        "parameters": count_parameters(model),
        "weights_mib": round(sum(value.nbytes for value in model.parameters()) / MIB),
        "shape": list(predicted.shape),
        "finite": bool(predicted.isfinite().all()),
        "seconds": {"build": built, "reference and conditions": read, "forward": seconds_since(began)},
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    before = anonymous_bytes()
    highest, done = [before], threading.Event()
    watcher = threading.Thread(target=watch, args=(highest, done))
    watcher.start()
    found = run()
    done.set()
    watcher.join()
    print(json.dumps(found | {"anonymous_peak_mib": round((highest[0] - before) / MIB)}))  # noqa: T201
