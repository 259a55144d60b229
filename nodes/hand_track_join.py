"""Make one hand track of two."""

from typing import TYPE_CHECKING

from .bridge.api import io, schema

if TYPE_CHECKING:
    from ..cyberhost_core.hands.track import HandTrack

IN_TURN, AT_ONCE = "one after the other", "blend"


class HandTrackJoin(io.ComfyNode):
    """Play two tracks one after the other, or blend them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostHandTrackJoin",
            display_name="Hand Track Join",
            category="CyberHost",
            description=(
                "Combines two hand tracks into one: one after the other with a cross-fade, or a blend of "
                "both. The second is brought to the first's canvas and frame rate."
            ),
            search_aliases=["concatenate hands", "blend hands", "mix gestures", "cross-fade"],
            has_intermediate_output=True,
            inputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Input("first", tooltip="From any hand driver."),
                io.Custom("CYBERHOST_HAND_TRACK").Input("second", tooltip="From any hand driver."),
                io.Combo.Input(
                    "how",
                    options=[IN_TURN, AT_ONCE],
                    default=IN_TURN,
                    tooltip="One after the other; or blend: in every frame a mix of the two, which must "
                    "have the same length.",
                ),
                io.Float.Input(
                    "fade",
                    default=0.2,
                    min=0.0,
                    max=60.0,
                    step=0.04,
                    tooltip="For one after the other: length of the cross-fade in seconds; both tracks "
                    "give up frames for it.",
                ),
                io.Float.Input(
                    "weight",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="For blend: how much of the second, as a share from 0 (the first) to 1 (the "
                    "second).",
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "joined",
                    display_name="hand_track",
                    tooltip="The track of both, at the first's frame rate.",
                ),
                io.Custom("POSE_KEYPOINT").Output(
                    "pose", display_name="pose", tooltip="The same hands and body, one pose per frame."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, *, first: "HandTrack", second: "HandTrack", how: str, fade: float = 0.2, weight: float = 0.5
    ) -> io.NodeOutput:
        from ..cyberhost_core.controls.pose_keypoint import keypoints_from_pose
        from ..cyberhost_core.hands.track import at_fps
        from ..cyberhost_core.hands.track_operations import blended, concatenated
        from .helpers.track_player import player

        following = second if second.fps == first.fps else at_fps(second, first.fps)
        if how == AT_ONCE:
            track = blended(first, following, weight=weight)
        else:
            track = concatenated([first, following], fade_frames=round(fade * first.fps))
        return io.NodeOutput(track, keypoints_from_pose(track.pose), ui=player(track))
