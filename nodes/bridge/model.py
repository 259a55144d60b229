"""The denoiser as a native MODEL.

    Checkpoint's denoiser.* -> HostUNet (our U-Net, ComfyUI's layers) in a BaseModel -> ModelPatcher

Everything that reads references, sound and maps is not in here: it is a second patched model, named by every
condition, which the host loads beside this one.
"""

from typing import Any, ClassVar

import comfy.latent_formats
import comfy.model_base
import comfy.model_sampling
import comfy.supported_models_base
import torch
from torch import Tensor

from ...cyberhost_core.backbone.conditions import Conditions
from ...cyberhost_core.backbone.unet import UNet, UNetConfig
from ...cyberhost_core.diffusion.schedule import ScheduleSpec, alpha_bars
from ...cyberhost_core.errors import CheckpointError, ConfigError
from ...cyberhost_core.systems.spec import SystemSpec
from .conds import CondPass
from .ops import host_ops
from .passage import KEY, Passage

_LEAST_ALPHA_BAR = 4.8973451890853435e-08  # ComfyUI's own stand-in for 0, whose sigma would be infinite


class HostUNet(UNet):
    """The core's U-Net behind the signature that ComfyUI calls."""

    def __init__(
        self, *, config: UNetConfig, operations: Any, dtype: torch.dtype, device: torch.device | None = None
    ) -> None:
        super().__init__(config, ops=host_ops(operations, dtype=dtype, device=device))
        self.dtype = dtype

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        x: Tensor,
        timesteps: Tensor,
        cyberhost: Conditions | None = None,
        **_: Any,
    ) -> Tensor:
        """Rows are passes x frames, passes in any order; the conditions know how many frames each has."""
        if cyberhost is None:
            raise ConfigError(
                "The CyberHost model was sampled with a conditioning that is not its own; connect CyberHost "
                "Conditions."
            )
        return super().forward(x, timesteps[:: cyberhost.sampled_frames], cyberhost)


class CyberHostModel(comfy.model_base.BaseModel):
    """Tell the host how to sample this denoiser, and encode the conditions of a run once at its start."""

    def __init__(self, config: "HostConfig", *, spec: SystemSpec, identity: str) -> None:
        kind = comfy.model_base.ModelType
        kinds = {"epsilon": kind.EPS, "sample": kind.EPS, "v_prediction": kind.V_PREDICTION}
        prediction = spec.schedule.prediction
        super().__init__(config, kinds[prediction], unet_model=HostUNet)
        if prediction == "sample":
            self.model_sampling = _CleanSampling(config)
        self.model_sampling.set_sigmas(_sigmas(spec.schedule))
        self.identity, self.spec = identity, spec

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        out = super().extra_conds(**kwargs)
        passage = kwargs.get(KEY)
        if passage is not None:
            _require_same(passage, self.identity)
        if passage is not None and not passage.is_whole:
            frames = kwargs["noise"].shape[0]
            out[KEY] = CondPass(
                passage.conditions(
                    frames, device=kwargs["device"], dtype=self.manual_cast_dtype or self.get_dtype()
                ),
                passage.seen,
                {},
            )
        return out


class HostConfig(comfy.supported_models_base.BASE):
    """What the host wants to know of a model before it exists."""

    unet_extra_config: ClassVar[dict[str, Any]] = {}
    # The host estimates rows x cells x bytes x 0.01 x this in MiB; that covers what `cyberhost memory` says:
    # by that table 0.9 (AnimateAnyone) to 1.4 (CyberHost, one pass at a time) would do.
    memory_usage_factor = 1.5

    def __init__(self, spec: SystemSpec, preview: list[list[float]] | None) -> None:
        self.latent_format = lambda: latent_format(spec, preview)
        super().__init__({"config": spec.unet})


class LatentFormat(comfy.latent_formats.LatentFormat):
    """Latents that leave their autoencoder with unit variance; preview maps them to RGB, the offset last."""

    def __init__(self, channels: int, preview: list[list[float]] | None) -> None:
        self.latent_channels = channels
        if preview:
            self.latent_rgb_factors, self.latent_rgb_factors_bias = preview[:-1], preview[-1]


def latent_format(spec: SystemSpec, preview: list[list[float]] | None) -> comfy.latent_formats.LatentFormat:
    """Stable Diffusion's own where the latents are its autoencoder's, so that all that knows them works."""
    native = comfy.latent_formats.SD15()
    if spec.latent_scale == native.scale_factor and spec.unet.latent_channels == native.latent_channels:
        return native
    return LatentFormat(spec.unet.latent_channels, preview)


class _CleanSampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    """For networks that answer with the clean latents."""

    def calculate_denoised(self, _sigma: Tensor, model_output: Tensor, _input: Tensor) -> Tensor:
        return model_output


def _sigmas(schedule: ScheduleSpec) -> Tensor:
    """The host's view of a schedule: noise over signal, per training step."""
    bars = alpha_bars(schedule).clamp(min=_LEAST_ALPHA_BAR)
    return ((1 - bars) / bars).sqrt()


def _require_same(passage: Passage, identity: str) -> None:
    if passage.parts.identity != identity:
        raise CheckpointError(
            f"The conditions were made with the checkpoint '{passage.parts.identity}' and the model is of "
            f"'{identity}'; load both from one Load CyberHost node."
        )
