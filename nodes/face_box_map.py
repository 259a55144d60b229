"""Draw where the face is: the map of talking heads."""

from typing import Any

from .bridge.api import io, schema
from .helpers.person import LARGEST, person_input


class FaceBoxMap(io.ComfyNode):
    """Draw the box of the reference person's face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostFaceBoxMap",
            display_name="Face Box Map",
            category="CyberHost",
            description=(
                "Draws a white box around the face on black, from the pose of the reference picture: the "
                "map that Hallo needs. Painted boxes also work."
            ),
            search_aliases=["face locator", "face mask", "hallo"],
            inputs=[
                io.Custom("POSE_KEYPOINT").Input("pose", tooltip="The pose of the reference picture."),
                person_input(),
            ],
            outputs=[io.Image.Output("map", display_name="map", tooltip="One map for the whole video.")],
        )

    @classmethod
    def execute(cls, *, pose: list[dict[str, Any]], person: int = LARGEST) -> io.NodeOutput:
        from ..cyberhost_core.controls.face_masks import face_box_map
        from .helpers.images import image_from_maps
        from .helpers.poses import pose_of

        return io.NodeOutput(image_from_maps(face_box_map(pose_of(pose, person)[:1])))
