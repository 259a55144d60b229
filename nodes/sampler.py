"""Sample the whole length, segment by segment, with the host's own noise, sampler and sigmas."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema

if TYPE_CHECKING:
    from torch import Tensor


class Sampler(io.ComfyNode):
    """Sample every frame that the sound needs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        scale = {"min": 0.0, "max": 20.0, "step": 0.1}
        return schema(
            node_id="CyberHostSampler",
            display_name="RAM U-Net Sampler",
            category="CyberHost",
            description=(
                "Samples the whole length in the checkpoint's own way: segments, each continued from the "
                "last frames of the one before, or windows that overlap. Each frame has its own noise, so "
                "the same seed gives the same video."
            ),
            search_aliases=["ksampler", "long video", "dual cfg"],
            inputs=[
                io.Model.Input("model", tooltip="From Load CyberHost, directly or through LoRA loaders."),
                io.Conditioning.Input("positive", tooltip="From CyberHost Conditions."),
                io.Conditioning.Input("reference_only", tooltip="From CyberHost Conditions."),
                io.Conditioning.Input("negative", tooltip="From CyberHost Conditions."),
                io.Noise.Input("noise", tooltip="RandomNoise: the seed."),
                io.Sampler.Input("sampler", tooltip="KSamplerSelect; euler is the paper's DDIM."),
                io.Sigmas.Input(
                    "sigmas",
                    tooltip="BasicScheduler; 'simple', 20 to 30 steps (Hallo 40, accelerated EchoMimicV2 6).",
                ),
                io.Float.Input(
                    "reference_scale",
                    default=2.5,
                    **scale,
                    tooltip=(
                        "How strongly to look like the reference (paper: 2.5; bundled tiny model: 1.5). "
                        "Public models have one scale for both: EchoMimicV2 2.5, Hallo and AnimateAnyone 3.5."
                    ),
                ),
                io.Float.Input(
                    "audio_scale",
                    default=4.5,
                    **scale,
                    tooltip=(
                        "How strongly to follow the sound (paper: 4.5; bundled tiny model: 2). Set it "
                        "equal to reference_scale if a model has one scale; sampling is then also faster."
                    ),
                ),
            ],
            outputs=[
                io.Latent.Output("latent", display_name="latent", tooltip="Latents of all frames, in order.")
            ],
        )

    @classmethod
    def execute(
        cls,
        *,
        model: Any,
        positive: list,
        reference_only: list,
        negative: list,
        noise: Any,
        sampler: Any,
        sigmas: "Tensor",
        reference_scale: float,
        audio_scale: float,
    ) -> io.NodeOutput:
        from .bridge.long_video import HostSampling, sample_track

        sampling = HostSampling(
            noise=noise,
            sampler=sampler,
            sigmas=sigmas,
            reference_scale=reference_scale,
            audio_scale=audio_scale,
        )
        samples = sample_track(
            model, full=positive, reference=reference_only, null=negative, sampling=sampling
        )
        return io.NodeOutput({"samples": samples})
