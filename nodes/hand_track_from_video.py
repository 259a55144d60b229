"""A hand driver: the hands of a person in a video."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema
from .helpers.person import LARGEST, person_input
from .helpers.rate import HIGHEST_FPS, LOWEST_FPS, usable_fps

if TYPE_CHECKING:
    from torch import Tensor


class HandTrackFromVideo(io.ComfyNode):
    """Take the hands over from a video whose poses were detected."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostHandTrackFromVideo",
            display_name="Hand Track from Video",
            category="CyberHost",
            description="Takes the hands of a person in a video as a hand track, to be aligned and drawn.",
            search_aliases=["hand driver", "gesture", "hand motion", "video driven"],
            has_intermediate_output=True,
            inputs=[
                io.Image.Input("images", tooltip="The frames of the video."),
                io.Custom("POSE_KEYPOINT").Input("pose", tooltip="The poses detected in these frames."),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=LOWEST_FPS,
                    max=HIGHEST_FPS,
                    step=0.01,
                    tooltip="Frame rate of this video, in frames per second.",
                ),
                person_input(),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "hand_track", display_name="hand_track", tooltip="For Align Hands or Save Hand Track."
                ),
                io.Custom("POSE_KEYPOINT").Output(
                    "track_pose", display_name="pose", tooltip="The same hands and body, one pose per frame."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, *, images: "Tensor", pose: list[dict[str, Any]], fps: float, person: int = LARGEST
    ) -> io.NodeOutput:
        from ..cyberhost_core.controls.pose_keypoint import keypoints_from_pose
        from .helpers.track_player import player
        from .helpers.tracks import track_of_video

        track = track_of_video(images, pose, fps=usable_fps(fps), person=person)
        return io.NodeOutput(track, keypoints_from_pose(track.pose), ui=player(track))
