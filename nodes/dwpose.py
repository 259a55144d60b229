"""Find body, face and hands of the people in every picture."""

from typing import TYPE_CHECKING

from .bridge.api import io, schema
from .bridge.models import (
    BUNDLED_POSE,
    WHOLE_PICTURE,
    file_state,
    person_detector_path,
    person_detectors,
    pose_detector_path,
    pose_detectors,
)

if TYPE_CHECKING:
    from torch import Tensor


class DWPoseDetector(io.ComfyNode):
    """Run a DWPose network on pictures that show one person, or on everybody that a detector finds."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostDWPose",
            display_name="DWPose Detector",
            category="CyberHost",
            description=(
                "Finds body, face and hand keypoints. The bundled detector knows drawn puppets; for people, "
                "put dw-ll_ucoco_384.onnx into models/cyberhost (and yolox_l.onnx, where several people or "
                "small ones are in the picture) and install onnxruntime, or put there what "
                "'cyberhost convert people-detector' makes, which needs nothing."
            ),
            search_aliases=["dwpose", "openpose", "pose detection", "keypoints", "rtmpose", "yolox"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Image.Input("image", tooltip="One picture, or the frames of a video."),
                io.Combo.Input(
                    "detector",
                    options=pose_detectors(),
                    default=BUNDLED_POSE,
                    tooltip="The bundled detector (drawn puppets), or for people a DWPose .onnx or "
                    "MediaPipe's networks (.safetensors) in models/cyberhost.",
                ),
                io.Float.Input(
                    "padding",
                    default=1.0,
                    min=1.0,
                    max=2.0,
                    step=0.05,
                    tooltip=(
                        "How far to look beyond the picture, as a ratio of its size: 1.0 for a person who "
                        "fills it, 1.25 (DWPose's own) for one cut off at its edges. A person detector's "
                        "boxes always get 1.25."
                    ),
                ),
                io.Combo.Input(
                    "person_detector",
                    options=person_detectors(),
                    default=WHOLE_PICTURE,
                    optional=True,
                    tooltip=(
                        "The whole picture as one person, or a YOLOX .onnx in models/cyberhost that finds "
                        "everybody; the people of a frame then come from left to right."
                    ),
                ),
            ],
            outputs=[
                io.Custom("POSE_KEYPOINT").Output(
                    "pose", display_name="pose", tooltip="Keypoints in pixels of the picture."
                ),
                io.Image.Output(
                    "overlay", display_name="overlay", tooltip="The skeleton drawn over the picture."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(
        cls, *, detector: str = BUNDLED_POSE, person_detector: str = WHOLE_PICTURE, **_: object
    ) -> tuple[str | int, ...]:
        pose_file, person_file = pose_detector_path(detector), person_detector_path(person_detector)
        return detector, *file_state(pose_file), person_detector, *file_state(person_file)

    @classmethod
    def execute(
        cls,
        *,
        image: "Tensor",
        detector: str = BUNDLED_POSE,
        padding: float = 1.0,
        person_detector: str = WHOLE_PICTURE,
    ) -> io.NodeOutput:
        from .bridge.running import say_what_runs
        from .helpers.detection import detect, keypoints_of, overlays

        found = detect(
            image,
            pose_detector_path(detector),
            padding=padding,
            person_detector_path=person_detector_path(person_detector),
        )
        shown = say_what_runs(cls, found.runs_on)
        return io.NodeOutput(keypoints_of(found.people), overlays(image, found.people), ui=shown)
