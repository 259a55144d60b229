"""Draw a hand track as EMO2's second stage wants it: rendered hands, and arms and legs as keypoints."""

from typing import TYPE_CHECKING, Any

from .bridge.api import RARELY_TOUCHED, io, schema
from .bridge.mano_files import OWN, hand_shape_path, hand_shapes
from .bridge.models import file_state
from .helpers.track_length import HOLD, brought_to, fps_input, frames_input, when_short_input

if TYPE_CHECKING:
    from ..cyberhost_core.hands.track import HandTrack

_SIDE = {"default": 512, "min": 16, "max": 4096, "step": 1}


class RenderHandMaps(io.ComfyNode):
    """Render hand maps and keypoint maps."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostHandMaps",
            display_name="Render Hand Maps",
            category="CyberHost",
            description=(
                "Draws a hand track for EMO2's second stage: both hands as shaded surfaces, arms and legs "
                "as keypoints, and the detector's confidence in each hand. A track of keypoints alone is "
                "fitted first."
            ),
            search_aliases=["emo2", "mano maps", "hand mesh", "draw hands", "keypoint maps"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Input(
                    "hand_track",
                    tooltip="From any hand driver, on the portrait's canvas; Align Hands brings it there.",
                ),
                io.Int.Input("width", **_SIDE, tooltip="Width of the maps, in pixels; from Load CyberHost."),
                io.Int.Input(
                    "height",
                    **{**_SIDE, "default": 704},
                    tooltip="Height of the maps, in pixels; from Load CyberHost.",
                ),
                frames_input(),
                when_short_input(),
                fps_input(),
                io.Custom("POSE_KEYPOINT").Input(
                    "reference_pose",
                    optional=True,
                    tooltip="The pose of the portrait: arms are drawn from its shoulders to the hands, "
                    "unless arms were generated with the hands. Without it, the arms that the track itself "
                    "has.",
                ),
                *(
                    io.Combo.Input(
                        f"{side}_hand",
                        options=hand_shapes(),
                        default=OWN,
                        optional=True,
                        **RARELY_TOUCHED,
                        tooltip=f"Shape of the {side} hand: the pack's own, or a MANO hand that you have "
                        "converted.",
                    )
                    for side in ("left", "right")
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_MAPS").Output(
                    "maps", display_name="maps", tooltip="Both maps and the confidence, for EMO2 Conditions."
                ),
                io.Image.Output(
                    "hand_maps", display_name="hand maps", tooltip="The rendered hands, one per frame."
                ),
                io.Image.Output(
                    "keypoint_maps", display_name="keypoint maps", tooltip="Arms and legs, one per frame."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(
        cls, left_hand: str | None = None, right_hand: str | None = None, **_: Any
    ) -> list[tuple[int, int]]:
        return [file_state(hand_shape_path(name or OWN)) for name in (left_hand, right_hand)]

    @classmethod
    def execute(
        cls,
        *,
        hand_track: "HandTrack",
        width: int,
        height: int,
        frames: int = 0,
        when_short: str = HOLD,
        fps: float = 25.0,
        reference_pose: list[dict[str, Any]] | None = None,
        left_hand: str = OWN,
        right_hand: str = OWN,
    ) -> io.NodeOutput:
        from .bridge.mano_files import surfaces_of
        from .helpers.hand_pictures import fitted, rendered

        surfaces = surfaces_of(left_hand, right_hand)
        track = brought_to(cls, fitted(hand_track), fps=fps, frames=frames, when_short=when_short)
        made = rendered(track, reference_pose, height=height, width=width, surfaces=surfaces)
        return io.NodeOutput(made.maps, made.hands_FYXC, made.keypoints_FYXC)
