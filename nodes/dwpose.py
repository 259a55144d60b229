"""Find body, face and hands of a person in every picture."""

from typing import TYPE_CHECKING

from .bridge.api import io, schema
from .bridge.models import BUNDLED_POSE, pose_detector_path, pose_detectors

if TYPE_CHECKING:
    from torch import Tensor


class DWPoseDetector(io.ComfyNode):
    """Run a DWPose network on pictures that show one person."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostDWPose",
            display_name="DWPose Detector",
            category="CyberHost",
            description=(
                "Finds body, face and hand keypoints of one person per picture. The bundled detector knows "
                "drawn puppets; for people, put dw-ll_ucoco_384.onnx into models/cyberhost and install "
                "onnxruntime."
            ),
            search_aliases=["dwpose", "openpose", "pose detection", "keypoints", "rtmpose"],
            inputs=[
                io.Image.Input("image", tooltip="One picture, or the frames of a video."),
                io.Combo.Input(
                    "detector",
                    options=pose_detectors(),
                    default=BUNDLED_POSE,
                    tooltip="The bundled detector (drawn puppets), or a DWPose .onnx in models/cyberhost.",
                ),
                io.Float.Input(
                    "padding",
                    default=1.0,
                    min=1.0,
                    max=2.0,
                    step=0.05,
                    tooltip=(
                        "How far to look beyond the picture, as a ratio of its size: 1.0 for a person who "
                        "fills it, 1.25 (DWPose's own) for one cut off at its edges."
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
    def fingerprint_inputs(cls, *, detector: str = BUNDLED_POSE, **_: object) -> tuple[str, int, int]:
        stat = pose_detector_path(detector).stat()
        return detector, stat.st_mtime_ns, stat.st_size

    @classmethod
    def execute(cls, *, image: "Tensor", detector: str = BUNDLED_POSE, padding: float = 1.0) -> io.NodeOutput:
        from ..cyberhost_core.conditions.pose_keypoint import keypoints_from_pose
        from .detection import detect
        from .poses import overlay

        pose = detect(image, pose_detector_path(detector), padding=padding)
        return io.NodeOutput(keypoints_from_pose(pose), overlay(image, pose))
