"""A portrait and a voice that come with the pack, so that a first run needs no files."""

from pathlib import Path

from ..cyberhost_core import bundled
from .bridge.api import io, schema, ui


def bundled_names(folder: str, *suffixes: str) -> list[str]:
    """List a bundled folder; empty where it is missing, because a schema must not raise."""
    return sorted(path.name for path in (bundled.FOLDER / folder).glob("*") if path.suffix in suffixes)


def bundled_path(folder: str, name: str) -> Path:
    """Find a listed file, and nothing outside its folder.

    Raises:   CheckpointError: it is missing
    """
    return bundled.require(bundled.FOLDER / folder / Path(name).name)


class Example(io.ComfyNode):
    """Offer the bundled drawn portraits and spoken sentences."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostExample",
            display_name="Bundled Portrait and Voice",
            category="CyberHost",
            description=(
                "A drawn puppet and a spoken sentence that come with the pack. For files of your own take "
                "Load Image and Load Audio."
            ),
            search_aliases=["cyberhost example", "demo", "puppet"],
            has_intermediate_output=True,
            inputs=[
                io.Combo.Input(
                    "portrait",
                    options=bundled_names("portraits", ".png", ".jpg"),
                    tooltip=(
                        "A puppet that the tiny model has not seen in training, 96 pixels wide and 128 high."
                    ),
                ),
                io.Combo.Input(
                    "voice",
                    options=bundled_names("speech", ".ogg", ".wav"),
                    tooltip="3 to 4.5 seconds of speech; those named held_out were not used in training.",
                ),
            ],
            outputs=[
                io.Image.Output("image", display_name="image", tooltip="The portrait."),
                io.Audio.Output("audio", display_name="audio", tooltip="The voice, mono, 16 kHz."),
            ],
        )

    @classmethod
    def execute(cls, portrait: str, voice: str) -> io.NodeOutput:
        import torch

        from ..cyberhost_core.media.audio import read_sound
        from ..cyberhost_core.media.images import read_image

        picture_YXC = read_image(bundled_path("portraits", portrait))
        sound = read_sound(bundled_path("speech", voice))
        image_BYXC = torch.from_numpy(picture_YXC).float()[None] / 255
        audio = {"waveform": torch.from_numpy(sound.wave_CT)[None], "sample_rate": sound.rate_hz}
        return io.NodeOutput(image_BYXC, audio, ui=ui.PreviewImage(image_BYXC, cls=cls))
