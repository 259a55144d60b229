"""On a real device: a segment runs in both precisions, and takes the memory that the plan says."""

import pytest
import torch

from cyberhost_core.checkpoints.autoencoders import usual_autoencoder
from cyberhost_core.profiling.memory_plan import plan_memory
from cyberhost_core.profiling.random_inputs import RandomInputs, Size
from cyberhost_core.profiling.random_model import random_model
from cyberhost_core.profiling.segment_speed import SegmentConfig, measure_segment
from cyberhost_core.sampling.network import GuidedNetwork, Moment
from cyberhost_core.systems.cyberhost import paper

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]

SPEC = paper()
SIZE = Size.of(SPEC, height=256, width=192)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_segment_of_the_full_size_system_runs(dtype: torch.dtype) -> None:
    config = SegmentConfig(size=SIZE, device=torch.device("cuda"), steps=2)
    report = measure_segment(SPEC, usual_autoencoder(SPEC), config=config, dtypes={"half": dtype})
    assert all(row.seconds > 0 for row in report.rows)
    assert all(row.peak_mib and row.peak_mib > 4000 for row in report.rows)  # the weights alone take 4.2 GiB


@torch.inference_mode()
def test_a_step_takes_what_the_plan_says() -> None:
    """Within a quarter: blocks of an allocator are larger than what is asked for, and kernels need some."""
    bf16 = {"bf16": torch.bfloat16}
    plan = plan_memory(SPEC, SIZE, usual_autoencoder(SPEC), dtypes=bf16)
    planned = {row.name: row.bytes["bf16"] for row in plan.segment}["together_step_peak"]
    model = random_model(SPEC, dtype=torch.bfloat16, device=torch.device("cuda"))
    weights = torch.cuda.memory_allocated()
    inputs = RandomInputs(spec=SPEC, size=SIZE, device=torch.device("cuda"), dtype=torch.bfloat16)
    reference = inputs.reference(model)
    drive = inputs.drive(inputs.motion(model, reference))
    network = GuidedNetwork(model, reference, drive, SPEC.guidance)
    x, moment = inputs.latents(SIZE.frames), Moment(torch.tensor(0, device="cuda"), 0, 1.0)
    torch.cuda.reset_peak_memory_stats()
    for _ in range(2):
        network(x, moment)
    taken = torch.cuda.max_memory_allocated() - weights
    assert taken == pytest.approx(planned, rel=0.25)
