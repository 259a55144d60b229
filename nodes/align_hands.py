"""Fit a hand track to the person in the reference picture, and show the fit before anything is sampled."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema
from .helpers.person import LARGEST
from .helpers.rate import HIGHEST_FPS, LOWEST_FPS, usable_fps
from .helpers.track_length import HOLD, frames_input, when_short_input

if TYPE_CHECKING:
    from torch import Tensor

    from ..cyberhost_core.hands.track import HandTrack


class AlignHands(io.ComfyNode):
    """Move a hand track onto the reference person: one scale and one shift for the whole track."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        shift = {"default": 0.0, "min": -1.0, "max": 1.0, "step": 0.01}
        return schema(
            node_id="CyberHostAlignHands",
            display_name="Align Hands",
            category="CyberHost",
            description=(
                "Fits a hand track to the reference person by shoulders and neck, or by the hands where "
                "there is no body, and draws it over the picture before anything is sampled."
            ),
            search_aliases=["retarget", "hand driver", "gesture", "hand motion"],
            has_intermediate_output=True,
            inputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Input("hand_track", tooltip="From any hand driver."),
                io.Custom("POSE_KEYPOINT").Input(
                    "reference_pose", tooltip="The pose of the person in the reference picture."
                ),
                io.Image.Input("image", tooltip="The reference picture, one image."),
                frames_input(),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=LOWEST_FPS,
                    max=HIGHEST_FPS,
                    step=0.01,
                    tooltip="Frame rate of the result, in frames per second; the track is resampled to it.",
                ),
                io.Float.Input(
                    "scale",
                    default=1.0,
                    min=0.1,
                    max=10.0,
                    step=0.01,
                    tooltip="Factor on the fitted size, around the neck (or the wrists); 1 keeps the fit.",
                ),
                io.Float.Input(
                    "offset_x", **shift, tooltip="Move the hands right, as a fraction of the picture's width."
                ),
                io.Float.Input(
                    "offset_y", **shift, tooltip="Move the hands down, as a fraction of the picture's height."
                ),
                when_short_input(optional=True),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "aligned", display_name="hand_track", tooltip="The track in pixels of the reference."
                ),
                io.Custom("POSE_KEYPOINT").Output(
                    "pose", display_name="pose", tooltip="One pose per frame, for Skeleton Map."
                ),
                io.Image.Output(
                    "overlay",
                    display_name="overlay",
                    tooltip="The hands over the picture, up to 16 frames spread over the track.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        *,
        hand_track: "HandTrack",
        reference_pose: list[dict[str, Any]],
        image: "Tensor",
        frames: int = 0,
        fps: float = 25.0,
        scale: float = 1.0,
        offset_x: float = 0.0,
        offset_y: float = 0.0,
        when_short: str = HOLD,
    ) -> io.NodeOutput:
        from ..cyberhost_core.controls.pose_keypoint import keypoints_from_pose
        from .helpers.images import one_picture
        from .helpers.poses import pose_on
        from .helpers.track_player import player
        from .helpers.tracks import aligned, overlay

        picture = one_picture(image, what="the reference")
        track = aligned(
            hand_track,
            pose_on(picture[None], reference_pose, person=LARGEST),
            fps=usable_fps(fps),
            frames=frames,
            scale=scale,
            offset_frac=(offset_x, offset_y),
            when_short=when_short,
        )
        return io.NodeOutput(
            track, keypoints_from_pose(track.pose), overlay(track, picture), ui=player(track)
        )
