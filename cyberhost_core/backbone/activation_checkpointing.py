"""Activation checkpointing: memory in training bought with time.

forward pass -> of each layer only the input is held -> backward pass computes each layer anew, one at a time

Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"
"""

from collections.abc import Iterator
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from .map_encoder import MapEncoder
from .unet import UNet


def checkpoint_activations(model: nn.Module) -> None:
    """Hold only the inputs of the U-Nets' layers and of map encoders for the backward pass, from now on.

    Conditions must be without memo: what a layer would find there, it has to compute again.
    """
    for layer in list(_layers(model)):
        # No layer draws random numbers, so no generator's state has to be kept for the second time.
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)


def _layers(model: nn.Module) -> Iterator[nn.Module]:
    for part in model.modules():
        if isinstance(part, UNet):
            yield from part.site_layers()
        elif isinstance(part, MapEncoder):
            yield part
