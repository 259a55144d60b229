"""A driving clip that comes with the pack, so that video-driven workflows need no files."""

from .bridge.api import io, schema
from .example import bundled_names, bundled_path


class ExampleClip(io.ComfyNode):
    """Offer the bundled clip of a gesturing puppet."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostExampleClip",
            display_name="Bundled Driving Clip",
            category="CyberHost",
            description=(
                "A drawn puppet that gestures and says the bundled sentence held_out_03. For a clip of your "
                "own take Load Video."
            ),
            search_aliases=["cyberhost example", "demo", "driving video"],
            inputs=[
                io.Combo.Input(
                    "clip",
                    options=bundled_names("clips", ".mp4"),
                    tooltip="4.5 seconds at 25 frames per second, 96 pixels wide and 128 high, with sound.",
                ),
            ],
            outputs=[
                io.Video.Output("video", display_name="video", tooltip="For Get Video Components."),
            ],
        )

    @classmethod
    def execute(cls, clip: str) -> io.NodeOutput:
        from .bridge.video import video_from_file

        return io.NodeOutput(video_from_file(bundled_path("clips", clip)))
