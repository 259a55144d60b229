"""Read the reference picture once: appearance features, pose, hands and face of the person."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema

if TYPE_CHECKING:
    from torch import Tensor

    from .types import Crops, Parts


class ReferenceNetNode(io.ComfyNode):
    """Run the ReferenceNet on the portrait."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostReferenceNet",
            display_name="ReferenceNet",
            category="CyberHost",
            description=(
                "Read the portrait: what the person looks like, for every frame of the video. The picture "
                "must have the size that Load CyberHost names; scale it with Upscale Image, crop center."
            ),
            search_aliases=["reference", "appearance", "identity"],
            inputs=[
                io.Custom("CYBERHOST_PARTS").Input("parts", tooltip="From Load CyberHost."),
                io.Vae.Input("vae", tooltip="The autoencoder that belongs to the checkpoint."),
                io.Image.Input("image", tooltip="One portrait at the model's size."),
                io.Custom("POSE_KEYPOINT").Input("pose", tooltip="The pose of the person in this portrait."),
                io.Custom("CYBERHOST_CROPS").Input(
                    "crops", tooltip="Hands and face of the same portrait, from Region Crops."
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_REFERENCE").Output(
                    "reference", display_name="reference", tooltip="For CyberHost Conditions."
                )
            ],
        )

    @classmethod
    def execute(
        cls, *, parts: "Parts", vae: Any, image: "Tensor", pose: list, crops: "Crops"
    ) -> io.NodeOutput:
        from .bridge.reference import read_reference
        from .images import one_picture
        from .person import LARGEST
        from .poses import pose_on

        picture = one_picture(image, what="the reference")
        person = pose_on(picture[None], pose, person=LARGEST)
        return io.NodeOutput(read_reference(parts, vae, picture, pose=person, crops=crops))
