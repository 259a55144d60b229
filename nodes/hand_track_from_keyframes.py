"""A hand driver: poses that an artist chose, struck at chosen times."""

from typing import Any

from .bridge.api import io, schema
from .helpers.person import LARGEST, person_input
from .helpers.rate import HIGHEST_FPS, LOWEST_FPS, usable_fps
from .helpers.track_length import HOLD, frames_input, when_short_input

EASINGS = ["smooth", "even", "hold"]


class HandTrackFromKeyframes(io.ComfyNode):
    """Move hands from keyframe to keyframe."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostHandTrackFromKeyframes",
            display_name="Hand Track from Keyframes",
            category="CyberHost",
            description=(
                "Moves hands from one pose to the next: detected in pictures, drawn in a pose editor, or "
                "picked from a clip. Between keyframes the joints turn, so that fingers keep their length."
            ),
            search_aliases=[
                "hand driver",
                "keyframe animation",
                "pose to pose",
                "gesture",
                "interpolate poses",
            ],
            has_intermediate_output=True,
            inputs=[
                io.Custom("POSE_KEYPOINT").Input(
                    "pose", tooltip="The keyframes, one pose each, or a clip's poses."
                ),
                io.String.Input(
                    "poses",
                    default="",
                    tooltip="Which of these poses are the keyframes, counted from 0 and separated by "
                    "commas, such as 0, 40, 75; empty takes all.",
                ),
                io.String.Input(
                    "times",
                    default="0, 0.8, 2",
                    tooltip="When each keyframe is reached, in seconds and separated by commas; one time "
                    "per keyframe.",
                ),
                io.Combo.Input(
                    "easing",
                    options=EASINGS,
                    default=EASINGS[0],
                    tooltip="How the hands go from one keyframe to the next: smooth starts and ends at "
                    "rest, even keeps one speed, hold jumps at the time.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=LOWEST_FPS,
                    max=HIGHEST_FPS,
                    step=0.01,
                    tooltip="Frame rate of the track, in frames per second.",
                ),
                frames_input(),
                when_short_input(),
                person_input(),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "hand_track", display_name="hand_track", tooltip="For Align Hands or Render Hand Maps."
                ),
                io.Custom("POSE_KEYPOINT").Output(
                    "track_pose", display_name="pose", tooltip="The same hands and body, one pose per frame."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        *,
        pose: list[dict[str, Any]],
        poses: str,
        times: str,
        easing: str,
        fps: float,
        frames: int = 0,
        when_short: str = HOLD,
        person: int = LARGEST,
    ) -> io.NodeOutput:
        from ..cyberhost_core.controls.pose_keypoint import keypoints_from_pose
        from ..cyberhost_core.hands.track_length import lasting
        from .helpers.track_player import player
        from .helpers.tracks import track_from_keyframes

        track = track_from_keyframes(
            pose, person=person, which=poses, times=times, easing=easing, fps=usable_fps(fps)
        )
        track = lasting(track, frames, when_short=when_short)
        return io.NodeOutput(track, keypoints_from_pose(track.pose), ui=player(track))
