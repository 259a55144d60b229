"""Keep a hand track as a file."""

from typing import TYPE_CHECKING

from .bridge.api import io, schema

if TYPE_CHECKING:
    from ..cyberhost_core.hands.track import HandTrack

FORMATS = {"json": ".json", "safetensors": ".safetensors"}


class SaveHandTrack(io.ComfyNode):
    """Write a hand track into the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostSaveHandTrack",
            display_name="Save Hand Track",
            category="CyberHost",
            description=(
                "Writes a hand track into ComfyUI's output folder. Hand Track from File lists the files in "
                "output/cyberhost."
            ),
            search_aliases=["export hands", "hand motion file"],
            inputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Input("hand_track", tooltip="From any hand driver."),
                io.String.Input(
                    "filename_prefix",
                    default="cyberhost/hand_track",
                    tooltip="Folder and name below the output folder; a number is added.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="json",
                    optional=True,
                    tooltip="json, which other programs read and write, or safetensors: a tenth of the "
                    "size, exact.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, *, hand_track: "HandTrack", filename_prefix: str, format: str = "json") -> io.NodeOutput:
        from ..cyberhost_core.hands.track import save_hand_track
        from .bridge.files import in_output
        from .helpers.track_player import player

        file = in_output(filename_prefix, FORMATS[format])
        save_hand_track(file.path, hand_track)
        return io.NodeOutput(ui={**player(hand_track), "cyberhost_files": [dict(file.shown)]})
