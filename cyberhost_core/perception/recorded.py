"""What the layers of a transformer pass on to one another."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def recorded(layers: nn.ModuleList) -> Iterator[list[Tensor]]:
    """Collect the input of the first layer and the output of each, while the block runs.

    Hooks, because transformers' own `output_hidden_states` belongs to whole models, whose convolutions would
    run again, because it puts a normalised value in the last place (Whisper), and because that place changed
    between versions (wav2vec2).
    """
    states: list[Tensor] = []
    handles = [layers[0].register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))]
    for layer in layers:
        handles.append(layer.register_forward_hook(lambda _, __, output: states.append(_tensor(output))))
    try:
        yield states
    finally:
        for handle in handles:
            handle.remove()


def _tensor(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output
