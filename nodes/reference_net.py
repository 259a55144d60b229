"""Read the reference picture once: appearance features, pose, hands and face of the person."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema

if TYPE_CHECKING:
    from torch import Tensor

    from .helpers.types import Crops, Parts


class ReferenceNetNode(io.ComfyNode):
    """Run the ReferenceNet on the portrait."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostReferenceNet",
            display_name="ReferenceNet",
            category="CyberHost",
            description=(
                "Encodes the portrait: what the person looks like, for every frame of the video. Scale it "
                "to Load CyberHost's size with Upscale Image, crop center. What else must be connected "
                "depends on the checkpoint; if something is missing, the error names it."
            ),
            search_aliases=["reference", "appearance", "identity"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Custom("CYBERHOST_PARTS").Input("parts", tooltip="From Load CyberHost."),
                io.Vae.Input("vae", tooltip="The autoencoder that belongs to the checkpoint."),
                io.Image.Input("image", tooltip="One portrait at the model's size."),
                io.Custom("POSE_KEYPOINT").Input(
                    "pose",
                    optional=True,
                    tooltip="The pose of the person in this portrait; CyberHost and Hallo need it.",
                ),
                io.Custom("CYBERHOST_CROPS").Input(
                    "crops",
                    optional=True,
                    tooltip=(
                        "Hands and face of the same portrait, from Region Crops; CyberHost and Hallo need it."
                    ),
                ),
                io.ClipVisionOutput.Input(
                    "clip_vision_output",
                    optional=True,
                    tooltip="CLIP Vision Encode of the same portrait; AnimateAnyone needs it.",
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
        cls,
        *,
        parts: "Parts",
        vae: Any,
        image: "Tensor",
        pose: list | None = None,
        crops: "Crops | None" = None,
        clip_vision_output: Any = None,
    ) -> io.NodeOutput:
        from ..cyberhost_core.conditioners.asks import EMBEDDING, FACE, HANDS, POSE
        from .bridge.notice import notice_unused
        from .bridge.reference import read_reference
        from .helpers.images import one_picture
        from .helpers.person import LARGEST
        from .helpers.poses import pose_on

        picture = one_picture(image, what="the reference")
        known: dict = {}
        if pose is not None:
            known[POSE] = pose_on(picture[None], pose, person=LARGEST)
        if crops is not None:
            known |= {HANDS: crops.hands_HCYX, FACE: crops.face}
        if clip_vision_output is not None:
            known[EMBEDDING] = clip_vision_output.image_embeds[0].float()
        bank, unused = read_reference(parts, vae, picture, known=known)
        notice_unused(cls, unused, system=parts.spec.name)
        return io.NodeOutput(bank)
