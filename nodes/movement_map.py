"""Draw where the body may move during the clip."""

from typing import Any

from .bridge.api import io, schema
from .helpers.person import LARGEST, person_input


class MovementMap(io.ComfyNode):
    """Draw the body movement map: a white box around the thorax, or one drawn by hand."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostMovementMap",
            display_name="Body Movement Map",
            category="CyberHost",
            description=(
                "Draws the box that the thorax may move in, as a picture to use or paint on. A larger box "
                "asks for more movement."
            ),
            search_aliases=["movement", "motion area", "body box"],
            has_intermediate_output=True,
            inputs=[
                io.Custom("POSE_KEYPOINT").Input(
                    "pose",
                    tooltip="The pose of the reference picture: it gives the thorax and the map's size.",
                ),
                io.Float.Input(
                    "width",
                    default=0.2,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="Width of the box, as a fraction of the picture's width.",
                ),
                io.Float.Input(
                    "height",
                    default=0.1,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="Height of the box, as a fraction of the picture's height.",
                ),
                io.String.Input(
                    "box",
                    default="",
                    optional=True,
                    tooltip=(
                        "Your own box instead, in pixels: x0,y0,x1,y1 (left, top, right, bottom), as the "
                        "picture below draws it. If empty, width and height are used, around the thorax."
                    ),
                ),
                person_input(),
            ],
            outputs=[
                io.Image.Output(
                    "map", display_name="map", tooltip="White box on black, of the picture's size."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        *,
        pose: list[dict[str, Any]],
        width: float,
        height: float,
        box: str = "",
        person: int = LARGEST,
    ) -> io.NodeOutput:
        from ..cyberhost_core.controls.movement_map import draw_movement_map, fixed_box
        from .helpers.images import image_from_maps
        from .helpers.movement_box import parse_box, shown_movement
        from .helpers.poses import pose_of

        found = pose_of(pose, person)
        drawn = parse_box(box, height=found.height, width=found.width)
        box_4 = fixed_box(found, width_frac=width, height_frac=height) if drawn is None else drawn
        map_CYX = draw_movement_map(box_4, height=found.height, width=found.width)
        return io.NodeOutput(image_from_maps(map_CYX[None]), ui=shown_movement(found, box_4))
