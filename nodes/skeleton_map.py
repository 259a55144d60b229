"""Draw skeletons: what steers the body of every frame, or the hands alone on a movement map."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema
from .helpers.person import LARGEST, person_input

if TYPE_CHECKING:
    from torch import Tensor

PARTS = {"whole body": ("body", "hands", "face"), "hands only": ("hands",)}
BY_SCORE = "hands (EchoMimicV2)"  # other colours and sizes, and brightness by the detector's score


class SkeletonMap(io.ComfyNode):
    """Draw a pose in OpenPose's colours."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostSkeletonMap",
            display_name="Skeleton Map",
            category="CyberHost",
            description=(
                "Draws the skeleton of every frame: the whole body to follow a video, the hands alone on a "
                "movement map to steer them together with the voice, or the hands in the style that "
                "EchoMimicV2 was trained on."
            ),
            search_aliases=["draw pose", "openpose", "skeleton", "video driven"],
            inputs=[
                io.Custom("POSE_KEYPOINT").Input("pose", tooltip="One pose per frame."),
                io.Combo.Input(
                    "parts",
                    options=[*PARTS, BY_SCORE],
                    default="whole body",
                    tooltip=(
                        "What to draw: whole body to follow a video, hands only on a movement map, hands "
                        "(EchoMimicV2) on black for its checkpoints."
                    ),
                ),
                io.Image.Input(
                    "base",
                    optional=True,
                    tooltip="Background instead of black: a movement map for all frames, or one per frame.",
                ),
                person_input(),
            ],
            outputs=[io.Image.Output("map", display_name="map", tooltip="One map per frame.")],
        )

    @classmethod
    def execute(
        cls,
        *,
        pose: list[dict[str, Any]],
        parts: str,
        base: "Tensor | None" = None,
        person: int = LARGEST,
    ) -> io.NodeOutput:
        from functools import partial

        import torch

        from ..cyberhost_core.controls.hand_drawing import draw_peer_hands_on
        from ..cyberhost_core.controls.skeleton_map import draw_skeleton_on
        from .helpers.drawn_frames import drawn
        from .helpers.images import image_from_maps, maps_from_image
        from .helpers.poses import pose_of

        found = pose_of(pose, person)
        under = torch.zeros(1, 3, found.height, found.width) if base is None else maps_from_image(base)
        draw = draw_peer_hands_on if parts == BY_SCORE else partial(draw_skeleton_on, parts=PARTS[parts])
        return io.NodeOutput(image_from_maps(drawn(draw, under, found)))
