"""Stable Diffusion's weights by the names of its original code: lists made as that code builds its blocks.

`test_convert_names.py` proves the lists: diffusers' own converter makes exactly its model's weights of them.
"""

from collections.abc import Sequence

Shapes = dict[str, tuple[int, ...]]

SD_WIDTHS, SD_ATTENTION = (320, 640, 1280, 1280), (True, True, True, False)
VAE_WIDTHS = (128, 256, 512, 512)


def original_unet(
    widths: Sequence[int] = SD_WIDTHS,
    attention: Sequence[bool] = SD_ATTENTION,
    *,
    resnets: int = 2,
    tokens: int = 768,
) -> Shapes:
    """Names and shapes of the U-Net, without the prefix "model.diffusion_model."."""
    first, last = widths[0], widths[-1]
    shapes = Shapes()
    _add(shapes, "time_embed.0", 4 * first, first)
    _add(shapes, "time_embed.2", 4 * first, 4 * first)
    _add(shapes, "input_blocks.0.0", first, 4, 3, 3)
    number, width, skips = 1, first, [first]
    for stage, wider in enumerate(widths):
        for _ in range(resnets):
            _unet_resnet(shapes, f"input_blocks.{number}.0", width, wider, embedding=4 * first)
            width = wider
            if attention[stage]:
                _transformer(shapes, f"input_blocks.{number}.1", width, tokens)
            skips.append(width)
            number += 1
        if stage < len(widths) - 1:
            _add(shapes, f"input_blocks.{number}.0.op", width, width, 3, 3)
            skips.append(width)
            number += 1
    _unet_resnet(shapes, "middle_block.0", last, last, embedding=4 * first)
    _transformer(shapes, "middle_block.1", last, tokens)
    _unet_resnet(shapes, "middle_block.2", last, last, embedding=4 * first)
    number = 0
    for stage, wider in reversed(list(enumerate(widths))):
        for index in range(resnets + 1):
            block = f"output_blocks.{number}"
            _unet_resnet(shapes, f"{block}.0", width + skips.pop(), wider, embedding=4 * first)
            width, layers = wider, 1
            if attention[stage]:
                _transformer(shapes, f"{block}.1", width, tokens)
                layers = 2
            if stage and index == resnets:
                _add(shapes, f"{block}.{layers}.conv", width, width, 3, 3)
            number += 1
    _add(shapes, "out.0", first)
    _add(shapes, "out.2", 4, first, 3, 3)
    return shapes


def original_autoencoder(widths: Sequence[int] = VAE_WIDTHS, *, resnets: int = 2, latents: int = 4) -> Shapes:
    """Names and shapes of the autoencoder, without the prefix "first_stage_model."."""
    shapes = Shapes()
    last, top = widths[-1], len(widths) - 1
    _add(shapes, "encoder.conv_in", widths[0], 3, 3, 3)
    width = widths[0]
    for stage, wider in enumerate(widths):
        for index in range(resnets):
            _vae_resnet(shapes, f"encoder.down.{stage}.block.{index}", width, wider)
            width = wider
        if stage < top:
            _add(shapes, f"encoder.down.{stage}.downsample.conv", width, width, 3, 3)
    _vae_middle(shapes, "encoder", last)
    _add(shapes, "encoder.norm_out", last)
    _add(shapes, "encoder.conv_out", 2 * latents, last, 3, 3)
    _add(shapes, "decoder.conv_in", last, latents, 3, 3)
    _vae_middle(shapes, "decoder", last)
    for stage, wider in reversed(list(enumerate(widths))):
        for index in range(resnets + 1):
            _vae_resnet(shapes, f"decoder.up.{stage}.block.{index}", width, wider)
            width = wider
        if stage:
            _add(shapes, f"decoder.up.{stage}.upsample.conv", width, width, 3, 3)
    _add(shapes, "decoder.norm_out", widths[0])
    _add(shapes, "decoder.conv_out", 3, widths[0], 3, 3)
    _add(shapes, "quant_conv", 2 * latents, 2 * latents, 1, 1)
    _add(shapes, "post_quant_conv", latents, latents, 1, 1)
    return shapes


def _add(shapes: Shapes, path: str, *size: int, bias: bool = True) -> None:
    shapes[f"{path}.weight"] = size
    if bias:
        shapes[f"{path}.bias"] = size[:1]


def _unet_resnet(shapes: Shapes, path: str, width: int, wider: int, *, embedding: int) -> None:
    _add(shapes, f"{path}.in_layers.0", width)
    _add(shapes, f"{path}.in_layers.2", wider, width, 3, 3)
    _add(shapes, f"{path}.emb_layers.1", wider, embedding)
    _add(shapes, f"{path}.out_layers.0", wider)
    _add(shapes, f"{path}.out_layers.3", wider, wider, 3, 3)
    if width != wider:
        _add(shapes, f"{path}.skip_connection", wider, width, 1, 1)


def _transformer(shapes: Shapes, path: str, width: int, tokens: int) -> None:
    block = f"{path}.transformer_blocks.0"
    _add(shapes, f"{path}.norm", width)
    _add(shapes, f"{path}.proj_in", width, width, 1, 1)
    for name, context in (("attn1", width), ("attn2", tokens)):
        _add(shapes, f"{block}.{name}.to_q", width, width, bias=False)
        _add(shapes, f"{block}.{name}.to_k", width, context, bias=False)
        _add(shapes, f"{block}.{name}.to_v", width, context, bias=False)
        _add(shapes, f"{block}.{name}.to_out.0", width, width)
    _add(shapes, f"{block}.ff.net.0.proj", 8 * width, width)
    _add(shapes, f"{block}.ff.net.2", width, 4 * width)
    for number in (1, 2, 3):
        _add(shapes, f"{block}.norm{number}", width)
    _add(shapes, f"{path}.proj_out", width, width, 1, 1)


def _vae_resnet(shapes: Shapes, path: str, width: int, wider: int) -> None:
    _add(shapes, f"{path}.norm1", width)
    _add(shapes, f"{path}.conv1", wider, width, 3, 3)
    _add(shapes, f"{path}.norm2", wider)
    _add(shapes, f"{path}.conv2", wider, wider, 3, 3)
    if width != wider:
        _add(shapes, f"{path}.nin_shortcut", wider, width, 1, 1)


def _vae_middle(shapes: Shapes, half: str, width: int) -> None:
    _vae_resnet(shapes, f"{half}.mid.block_1", width, width)
    _add(shapes, f"{half}.mid.attn_1.norm", width)
    for name in ("q", "k", "v", "proj_out"):
        _add(shapes, f"{half}.mid.attn_1.{name}", width, width, 1, 1)
    _vae_resnet(shapes, f"{half}.mid.block_2", width, width)
