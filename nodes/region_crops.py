"""Cut out the hands and describe the face of the reference person."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema
from .bridge.models import BUNDLED_FACE, face_network_path, face_networks, file_state
from .helpers.person import LARGEST, person_input

if TYPE_CHECKING:
    from torch import Tensor


class RegionCrops(io.ComfyNode):
    """Give the identity descriptors what they look at."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostRegionCrops",
            display_name="Region Crops",
            category="CyberHost",
            description=(
                "Cuts both hands (128 pixels) and the face (256 pixels) out of the reference picture and "
                "describes the face as a vector, so that hands and face stay this person's."
            ),
            search_aliases=["identity", "face crop", "hand crop", "arcface", "insightface"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Image.Input("image", tooltip="The reference picture, one image."),
                io.Custom("POSE_KEYPOINT").Input("pose", tooltip="The pose of this same picture."),
                person_input(),
                io.Combo.Input(
                    "face_network",
                    options=face_networks(),
                    default=BUNDLED_FACE,
                    optional=True,
                    tooltip=(
                        "The network that identifies a face: the bundled one (drawn puppets), or for "
                        "people an ArcFace .onnx in models/cyberhost or models/insightface."
                    ),
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_CROPS").Output(
                    "crops", display_name="crops", tooltip="For the ReferenceNet node."
                ),
                io.Image.Output(
                    "hands",
                    display_name="hands",
                    tooltip="The person's left and right hand; grey where a hand is not seen.",
                ),
                io.Image.Output("face", display_name="face", tooltip="The face."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, *, face_network: str = BUNDLED_FACE, **_: object) -> tuple[str | int, ...]:
        return face_network, *file_state(face_network_path(face_network))

    @classmethod
    def execute(
        cls,
        *,
        image: "Tensor",
        pose: list[dict[str, Any]],
        person: int = LARGEST,
        face_network: str = BUNDLED_FACE,
    ) -> io.NodeOutput:
        from .bridge.running import say_what_runs
        from .helpers.crops import crop_regions
        from .helpers.images import image_from_maps, one_picture
        from .helpers.poses import pose_on

        picture = one_picture(image, what="the reference")
        crops, face_CYX, runs_on = crop_regions(
            picture,
            pose_on(picture[None], pose, person=person),
            face_network_path=face_network_path(face_network),
        )
        hands, face = image_from_maps(crops.hands_HCYX), image_from_maps(face_CYX[None])
        return io.NodeOutput(crops, hands, face, ui=say_what_runs(cls, runs_on))
