"""Look at a hand track as a video, before anything is sampled."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema

if TYPE_CHECKING:
    from torch import Tensor

    from ..cyberhost_core.hands.track import HandTrack

SKELETONS, SURFACES = "skeletons", "surfaces"


class PreviewHandTrack(io.ComfyNode):
    """Draw a hand track as pictures and as a video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostPreviewHandTrack",
            display_name="Preview Hand Track",
            category="CyberHost",
            description=(
                "Draws a hand track over a picture or on black, as a native VIDEO for Save Video and as "
                "pictures; the node also plays it itself."
            ),
            search_aliases=["show hands", "hand track video", "draw hands"],
            has_intermediate_output=True,
            inputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Input("hand_track", tooltip="From any hand driver."),
                io.Combo.Input(
                    "draw",
                    options=[SKELETONS, SURFACES],
                    default=SKELETONS,
                    tooltip="Skeletons of body and hands, or hands as shaded surfaces; surfaces take "
                    "longer for a track of keypoints alone, which is fitted first.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="Background, dimmed, instead of black: one picture of the track's proportions, "
                    "or one per frame.",
                ),
                io.Audio.Input("audio", optional=True, tooltip="The voice, as the sound of the video."),
            ],
            outputs=[
                io.Video.Output(
                    "video", display_name="video", tooltip="For Save Video, at the track's frame rate."
                ),
                io.Image.Output(
                    "images", display_name="images", tooltip="The same as pictures, one per frame."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        *,
        hand_track: "HandTrack",
        draw: str,
        image: "Tensor | None" = None,
        audio: dict[str, Any] | None = None,
    ) -> io.NodeOutput:
        from .bridge.video import video_from_frames
        from .helpers.hand_pictures import previewed
        from .helpers.track_player import player

        images = previewed(hand_track, image, surfaces=draw == SURFACES)
        video = video_from_frames(images, audio=audio, fps=hand_track.fps)
        return io.NodeOutput(video, images, ui=player(hand_track))
