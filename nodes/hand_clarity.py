"""Score how sharp each hand is, frame by frame."""

from typing import TYPE_CHECKING, Any

from .bridge.api import io, schema
from .helpers.person import LARGEST, person_input

if TYPE_CHECKING:
    from torch import Tensor


class HandClarity(io.ComfyNode):
    """Measure the hand clarity score of a clip."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostHandClarity",
            display_name="Hand Clarity Score",
            category="CyberHost",
            description=(
                "Measures how sharp both hands are in every frame (standard deviation of the Laplacian), to "
                "see where motion blurs them, or to ask for the same in a new video."
            ),
            search_aliases=["sharpness", "hand quality", "motion blur"],
            has_intermediate_output=True,
            inputs=[
                io.Image.Input("image", tooltip="The frames of a clip, or one picture."),
                io.Custom("POSE_KEYPOINT").Input("pose", tooltip="The pose of these same frames."),
                person_input(),
            ],
            outputs=[
                io.Custom("CYBERHOST_CLARITY").Output(
                    "clarity",
                    display_name="clarity",
                    tooltip="For CyberHost Conditions, instead of its slider.",
                ),
                io.Image.Output("plot", display_name="plot", tooltip="Both hands' scores over the frames."),
            ],
        )

    @classmethod
    def execute(cls, *, image: "Tensor", pose: list[dict[str, Any]], person: int = LARGEST) -> io.NodeOutput:
        from ..cyberhost_core.controls.hand_clarity import hand_clarity
        from .helpers.clarity_pictures import plot, require_hand, shown_clarity
        from .helpers.images import frames_from_image
        from .helpers.poses import pose_on
        from .helpers.types import Clarity

        frames = frames_from_image(image)
        scores_F4 = hand_clarity(frames, require_hand(pose_on(frames, pose, person=person)))
        return io.NodeOutput(Clarity(scores_F4), plot(scores_F4), ui=shown_clarity(scores_F4))
