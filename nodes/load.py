"""Load one checkpoint: the denoiser as a native MODEL, everything else beside it."""

from .bridge.api import io, schema
from .bridge.checkpoint_files import checkpoint_path, checkpoints


class LoadCyberHost(io.ComfyNode):
    """Load a CyberHost checkpoint."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostLoad",
            display_name="Load CyberHost",
            category="CyberHost",
            description=(
                "Loads a checkpoint from models/cyberhost: CyberHost's, EMO2's, PAHA's, a converted "
                "EchoMimicV2, Hallo or AnimateAnyone, or one of the bundled tiny models, which know drawn "
                "puppets of 96 x 128 pixels and no people."
            ),
            search_aliases=[
                "cyberhost",
                "talking body",
                "checkpoint",
                "echomimic",
                "hallo",
                "animate anyone",
                "paha",
            ],
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=checkpoints(),
                    tooltip="A .safetensors file in models/cyberhost, or the bundled puppets.",
                ),
            ],
            outputs=[
                io.Model.Output("model", display_name="model", tooltip="The denoiser."),
                io.Custom("CYBERHOST_PARTS").Output(
                    "parts", display_name="parts", tooltip="ReferenceNet, map, hand, face and sound encoders."
                ),
                io.Vae.Output(
                    "vae",
                    display_name="vae",
                    tooltip="The checkpoint's autoencoder, if the file holds one.",
                ),
                io.AudioEncoder.Output(
                    "audio_encoder",
                    display_name="audio_encoder",
                    tooltip="The checkpoint's audio encoder, wav2vec2 or Whisper, if the file holds one.",
                ),
                io.Int.Output("width", display_name="width", tooltip="Picture width it works at, in pixels."),
                io.Int.Output(
                    "height", display_name="height", tooltip="Picture height it works at, in pixels."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str) -> tuple[str, int, int]:
        stat = checkpoint_path(checkpoint).stat()
        return checkpoint, stat.st_mtime_ns, stat.st_size

    @classmethod
    def execute(cls, checkpoint: str) -> io.NodeOutput:
        from .bridge.loading import load

        loaded = load(checkpoint_path(checkpoint))
        spec = loaded.parts.spec
        return io.NodeOutput(
            loaded.model, loaded.parts, loaded.vae, loaded.audio_encoder, spec.width, spec.height
        )
