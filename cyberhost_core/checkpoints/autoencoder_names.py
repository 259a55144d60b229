"""Names and shapes of Stable Diffusion's autoencoder: the original's, older diffusers', today's (ours).

first_stage_model.decoder.up.3.block.0.conv1.weight      original; up counts from the finest resolution
decoder.up_blocks.0.resnets.0.conv1.weight               diffusers; up_blocks counts from the coarsest
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .accounting import Fate, Shapes

_INSIDE = "first_stage_model."  # where a whole original checkpoint keeps its autoencoder
_TRAINING_ONLY = ("loss.", "model_ema.")
_RENAMED = {
    r"\.down\.(\d+)\.": r".down_blocks.\1.",
    r"\.block\.(\d+)\.": r".resnets.\1.",
    r"\.(down|up)sample\.": r".\1samplers.0.",
    r"\.nin_shortcut\.": ".conv_shortcut.",
    r"\.mid\.block_1\.": ".mid_block.resnets.0.",
    r"\.mid\.block_2\.": ".mid_block.resnets.1.",
    r"\.mid\.attn_1\.": ".mid_block.attentions.0.",
    r"\.attentions\.0\.norm\.": ".attentions.0.group_norm.",
    r"\.attentions\.0\.(?:q|query)\.": ".attentions.0.to_q.",
    r"\.attentions\.0\.(?:k|key)\.": ".attentions.0.to_k.",
    r"\.attentions\.0\.(?:v|value)\.": ".attentions.0.to_v.",
    r"\.attentions\.0\.(?:proj_out|proj_attn)\.": ".attentions.0.to_out.0.",
    r"\.norm_out\.": ".conv_norm_out.",
}


def autoencoder_fates(names: Iterable[str]) -> Callable[[str], Fate]:
    """Say for each weight of a file what becomes of it: an autoencoder's file, or a whole checkpoint."""
    names = list(names)
    inside = _INSIDE if any(name.startswith(_INSIDE) for name in names) else ""
    stages = _stages(names)

    def fate(name: str) -> Fate:
        if not name.startswith(inside):
            return Fate(("vae",), reason="not the autoencoder's")
        bare = name.removeprefix(inside)
        if bare.startswith(_TRAINING_ONLY):
            return Fate(("vae",), reason="used in training only")
        ours = our_autoencoder_name(bare, stages=stages)
        return Fate((f"vae.{ours}",), as_linear=".attentions." in ours)

    return fate


def our_autoencoder_name(name: str, *, stages: int) -> str:
    """Rename a weight of an autoencoder with so many resolutions; today's diffusers names stay."""
    name = re.sub(r"\.up\.(\d+)\.", lambda found: f".up_blocks.{stages - 1 - int(found[1])}.", name)
    for pattern, replacement in _RENAMED.items():
        name = re.sub(pattern, replacement, name)
    return name


def autoencoder_config(shapes: Shapes) -> dict[str, Any]:
    """Describe an autoencoder by its shapes, as diffusers' config.json does.

    Reads:    what shapes do not tell is Stable Diffusion 1.x's: 32 norm groups, a latent scale of 0.18215
    """
    stages = _stages(shapes)
    first = "vae.encoder.down_blocks.{}.resnets.0.conv1.weight"
    layers = re.compile(r"vae\.encoder\.down_blocks\.0\.resnets\.\d+\.conv1\.weight")
    return {
        "_class_name": "AutoencoderKL",
        "act_fn": "silu",
        "block_out_channels": [shapes[first.format(stage)][0] for stage in range(stages)],
        "down_block_types": ["DownEncoderBlock2D"] * stages,
        "in_channels": shapes["vae.encoder.conv_in.weight"][1],
        "latent_channels": shapes["vae.post_quant_conv.weight"][0],
        "layers_per_block": sum(bool(layers.fullmatch(name)) for name in shapes),
        "norm_num_groups": 32,
        "out_channels": shapes["vae.decoder.conv_out.weight"][0],
        "scaling_factor": 0.18215,
        "up_block_types": ["UpDecoderBlock2D"] * stages,
    }


def autoencoder_shapes(config: Mapping[str, Any]) -> Shapes:
    """Every weight of an autoencoder, under our names. Source: diffusers' AutoencoderKL."""
    latents, widths, layers = (
        config[name] for name in ("latent_channels", "block_out_channels", "layers_per_block")
    )
    weights = {
        "quant_conv": (2 * latents, 2 * latents, 1, 1),
        "post_quant_conv": (latents, latents, 1, 1),
        **_way("encoder", "down", widths, count=layers),
        **_middle("encoder", widths[-1]),
        **_ends("encoder", config["in_channels"], widths[0], widths[-1], 2 * latents),
        **_way("decoder", "up", widths[::-1], count=layers + 1),
        **_middle("decoder", widths[-1]),
        **_ends("decoder", latents, widths[-1], widths[0], config["out_channels"]),
    }
    return {
        f"vae.{name}.{kind}": shape
        for name, weight in weights.items()
        for kind, shape in (("weight", weight), ("bias", weight[:1]))
    }


def _ends(half: str, *widths: int) -> dict[str, tuple[int, ...]]:
    before, first, last, after = widths
    return {
        f"{half}.conv_in": (first, before, 3, 3),
        f"{half}.conv_norm_out": (last,),
        f"{half}.conv_out": (after, last, 3, 3),
    }


def _way(half: str, way: str, widths: list[int], *, count: int) -> dict[str, tuple[int, ...]]:
    weights: dict[str, tuple[int, ...]] = {}
    before = widths[0]
    for stage, width in enumerate(widths):
        block = f"{half}.{way}_blocks.{stage}"
        for index in range(count):
            weights |= _resnet(f"{block}.resnets.{index}", before, width)
            before = width
        if stage < len(widths) - 1:
            weights[f"{block}.{way}samplers.0.conv"] = (width, width, 3, 3)
    return weights


def _middle(half: str, width: int) -> dict[str, tuple[int, ...]]:
    block = f"{half}.mid_block"
    attention = {
        f"{block}.attentions.0.{name}": (width, width) for name in ("to_q", "to_k", "to_v", "to_out.0")
    }
    return {
        **_resnet(f"{block}.resnets.0", width, width),
        f"{block}.attentions.0.group_norm": (width,),
        **attention,
        **_resnet(f"{block}.resnets.1", width, width),
    }


def _resnet(path: str, before: int, width: int) -> dict[str, tuple[int, ...]]:
    shortcut = {f"{path}.conv_shortcut": (width, before, 1, 1)} if before != width else {}
    return {
        f"{path}.norm1": (before,),
        f"{path}.conv1": (width, before, 3, 3),
        f"{path}.norm2": (width,),
        f"{path}.conv2": (width, width, 3, 3),
        **shortcut,
    }


def _stages(names: Iterable[str]) -> int:
    found = (re.search(r"encoder\.down(?:_blocks)?\.(\d+)\.", name) for name in names)
    return 1 + max((int(match[1]) for match in found if match), default=-1)
