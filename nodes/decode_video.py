"""Decode latents in chunks straight into a video file, with the sound beside them."""

from collections.abc import Mapping
from typing import Any

from .bridge.api import io, schema, ui
from .helpers.rate import HIGHEST_FPS, LOWEST_FPS, usable_fps


class DecodeVideo(io.ComfyNode):
    """Decode a LATENT of any length with flat memory."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostDecodeVideo",
            display_name="Decode to Video",
            category="CyberHost",
            description=(
                "Decodes 16 frames at a time straight into an mp4 with its sound, so that memory does not "
                "grow with the length. The file lies in ComfyUI's temp folder until Save Video keeps it."
            ),
            search_aliases=["vae decode", "video combine", "create video", "mp4"],
            is_output_node=True,
            inputs=[
                io.Latent.Input("latent", tooltip="One latent per frame, from RAM U-Net Sampler."),
                io.Vae.Input("vae", tooltip="The autoencoder that belongs to the checkpoint."),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=LOWEST_FPS,
                    max=HIGHEST_FPS,
                    step=0.01,
                    tooltip="Frame rate in frames per second: the one of Wav2Vec Audio Features.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="The sound that drove the video. What is longer than the frames is cut off.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="cyberhost/video",
                    tooltip="Folder and name in ComfyUI's temp folder; a number is added.",
                ),
            ],
            outputs=[
                io.Video.Output("video", display_name="video", tooltip="For Save Video and every video node.")
            ],
        )

    @classmethod
    def execute(
        cls,
        *,
        latent: Mapping[str, Any],
        vae: Any,
        fps: float,
        audio: Mapping[str, Any] | None = None,
        filename_prefix: str = "cyberhost/video",
    ) -> io.NodeOutput:
        from .bridge.files import in_temp
        from .bridge.video import video_from_file
        from .helpers.decoding import decode_to_file, usable_latents

        latents = usable_latents(latent)
        file = in_temp(filename_prefix, ".mp4")
        decode_to_file(file.path, latents, vae=vae, fps=usable_fps(fps), audio=audio)
        return io.NodeOutput(video_from_file(file.path), ui=ui.PreviewVideo([file.shown]))
