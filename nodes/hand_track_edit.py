"""Change a hand track before it drives a video."""

from typing import TYPE_CHECKING

from .bridge.api import io, schema
from .helpers.track_length import HOLD, frames_input, when_short_input

if TYPE_CHECKING:
    from ..cyberhost_core.hands.track import HandTrack


class HandTrackEdit(io.ComfyNode):
    """Trim, mirror, calm, hurry and lengthen a hand track."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        amplitude = {"default": 1.0, "min": 0.0, "max": 3.0, "step": 0.05}
        second = {"default": 0.0, "min": 0.0, "max": 36_000.0, "step": 0.01}
        return schema(
            node_id="CyberHostHandTrackEdit",
            display_name="Hand Track Edit",
            category="CyberHost",
            description=(
                "Changes a hand track, in this order: takes a part of it, mirrors it, moves the hands more "
                "or less, plays it faster or slower, and brings it to a length."
            ),
            search_aliases=["amplitude", "speed", "mirror", "trim hands", "loop hands", "gesture"],
            has_intermediate_output=True,
            inputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Input("hand_track", tooltip="From any hand driver."),
                io.Float.Input("start", **second, tooltip="Where the part begins, in seconds."),
                io.Float.Input(
                    "end", **second, tooltip="Where the part ends, in seconds; 0 is the track's end."
                ),
                io.Boolean.Input("mirror", default=False, tooltip="Left and right change places."),
                io.Float.Input(
                    "amplitude_left",
                    **amplitude,
                    tooltip="How far the left hand moves from its mean place, as a factor: 0 holds it "
                    "there, 1 changes nothing, 2 doubles the movement.",
                ),
                io.Float.Input(
                    "amplitude_right", **amplitude, tooltip="The same for the right hand, as a factor."
                ),
                io.Float.Input(
                    "speed",
                    default=1.0,
                    min=0.1,
                    max=10.0,
                    step=0.05,
                    tooltip="How fast it plays, as a factor: 2 is twice as fast and half as long.",
                ),
                frames_input(),
                when_short_input(),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "edited", display_name="hand_track", tooltip="The changed track, at the same frame rate."
                ),
                io.Custom("POSE_KEYPOINT").Output(
                    "pose", display_name="pose", tooltip="The same hands and body, one pose per frame."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        *,
        hand_track: "HandTrack",
        start: float = 0.0,
        end: float = 0.0,
        mirror: bool = False,
        amplitude_left: float = 1.0,
        amplitude_right: float = 1.0,
        speed: float = 1.0,
        frames: int = 0,
        when_short: str = HOLD,
    ) -> io.NodeOutput:
        from ..cyberhost_core.controls.pose_keypoint import keypoints_from_pose
        from ..cyberhost_core.hands.track_length import between_secs, lasting
        from ..cyberhost_core.hands.track_operations import at_speed, mirrored, with_amplitude
        from .helpers.track_player import player

        track = between_secs(hand_track, start, end)
        track = mirrored(track) if mirror else track
        track = with_amplitude(track, left=amplitude_left, right=amplitude_right)
        track = track if speed == 1 else at_speed(track, speed)
        track = lasting(track, frames, when_short=when_short)
        return io.NodeOutput(track, keypoints_from_pose(track.pose), ui=player(track))
