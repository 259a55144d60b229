"""Names of Stable Diffusion's U-Net: the original's, and diffusers' (ours).

    model.diffusion_model.input_blocks.4.0.in_layers.2.weight      original: all blocks in one row
    down_blocks.1.resnets.0.conv1.weight                           diffusers: a row per resolution

With n resnets per resolution on the way down and n + 1 on the way up, each resolution takes n + 1 numbers of
the row. On the way down number 0 is the first convolution, and a resolution's last number is its stride.
"""

import re
from collections.abc import Callable, Iterable

from .accounting import Fate, Shapes

_INSIDE = "model.diffusion_model."
_OTHER_PARTS = {
    r"first_stage_model\.": "the checkpoint's autoencoder: give the file as --vae, too, to keep it",
    r"cond_stage_model\.": "the text encoder: this system reads no text",
    r"model_ema\.": "a second, averaged copy of the U-Net",
    r"(betas|\w*alphas_cumprod\w*|posterior_\w+|logvar|lvlb_weights|scale_factor)$": "the noise schedule",
}
_ENDS = {
    "time_embed.0.": "time_embedding.linear_1.",
    "time_embed.2.": "time_embedding.linear_2.",
    "input_blocks.0.0.": "conv_in.",
    "out.0.": "conv_norm_out.",
    "out.2.": "conv_out.",
    "middle_block.0.": "mid_block.resnets.0.",
    "middle_block.1.": "mid_block.attentions.0.",
    "middle_block.2.": "mid_block.resnets.1.",
}
_RESNET = {
    ".in_layers.0.": ".norm1.",
    ".in_layers.2.": ".conv1.",
    ".emb_layers.1.": ".time_emb_proj.",
    ".out_layers.0.": ".norm2.",
    ".out_layers.3.": ".conv2.",
    ".skip_connection.": ".conv_shortcut.",
}
_IN_ROW = re.compile(r"(input|output)_blocks\.(\d+)\.(\d)\.(.+)")
_TEXT = re.compile(r"\.transformer_blocks\.0\.(attn2|norm2)\.")


def unet_fates(names: Iterable[str], expected: Shapes) -> Callable[[str], Fate]:
    """Say for each weight of a file what becomes of it: it starts the denoiser and the reference network.

    names are diffusers', or those of a whole original checkpoint.
    """
    names = list(names)
    inside = _INSIDE if any(name.startswith(_INSIDE) for name in names) else ""
    strides = (re.search(r"input_blocks\.(\d+)\.0\.op\.", name) for name in names)
    per_resolution = min((int(found[1]) for found in strides if found), default=1)

    def fate(name: str) -> Fate:
        if not name.startswith(inside):
            return Fate(reason=_other_part(name))
        bare = name.removeprefix(inside)
        ours = our_unet_name(bare, per_resolution=per_resolution) if inside else bare
        both = (f"denoiser.{ours}", f"reference_net.{ours}")
        used = tuple(name for name in both if name in expected)
        if not used and _TEXT.search(ours):
            return Fate(both, reason="attention to text, which this system does not read")
        return Fate(used or both[:1])

    return fate


def our_unet_name(name: str, *, per_resolution: int) -> str:
    """Rename an original weight; per_resolution: how many numbers of the row each resolution takes.

    What is not known stays as it is.
    """
    place = _IN_ROW.fullmatch(name)
    name = _begun_anew(name)
    if place and name == place[0]:
        name = _out_of_row(place, per_resolution)
    for old, new in _RESNET.items():
        name = name.replace(old, new)
    return name


def _begun_anew(name: str) -> str:
    return next((new + name.removeprefix(old) for old, new in _ENDS.items() if name.startswith(old)), name)


def _out_of_row(place: re.Match[str], per_resolution: int) -> str:
    way, number, layer, rest = place.groups()
    down = way == "input"
    stage, index = divmod(int(number) - down, per_resolution)
    block = f"{'down' if down else 'up'}_blocks.{stage}"
    if rest.startswith(("op.", "conv.")):
        return f"{block}.{'down' if down else 'up'}samplers.0.conv.{rest.partition('.')[2]}"
    return f"{block}.{'resnets' if layer == '0' else 'attentions'}.{index}.{rest}"


def _other_part(name: str) -> str:
    """Why a weight beside the U-Net is left out; nothing if nobody knows it."""
    return next((reason for pattern, reason in _OTHER_PARTS.items() if re.match(pattern, name)), "")
