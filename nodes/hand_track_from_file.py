"""A hand driver: a track that was saved before, or the bundled example."""

from .bridge.api import io, schema
from .bridge.hand_track_files import hand_track_names, hand_track_path


class HandTrackFromFile(io.ComfyNode):
    """Read a hand track."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="CyberHostHandTrackFromFile",
            display_name="Hand Track from File",
            category="CyberHost",
            description="Reads a hand track that Save Hand Track wrote, or the bundled example.",
            search_aliases=["hand driver", "gesture", "hand motion", "import hands"],
            has_intermediate_output=True,
            inputs=[
                io.Combo.Input(
                    "file",
                    options=hand_track_names(),
                    tooltip="The bundled puppet, or a .json or .safetensors file in the input folder or in "
                    "output/cyberhost.",
                ),
            ],
            outputs=[
                io.Custom("CYBERHOST_HAND_TRACK").Output(
                    "hand_track", display_name="hand_track", tooltip="For Align Hands."
                ),
                io.Custom("POSE_KEYPOINT").Output(
                    "pose", display_name="pose", tooltip="The same hands and body, one pose per frame."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        if file is None or hand_track_path(file).is_file():  # None: the name comes over a wire
            return True
        return (
            f"There is no hand track '{file}'; put the file into ComfyUI's input folder, or choose another."
        )

    @classmethod
    def fingerprint_inputs(cls, file: str) -> tuple[str, int, int]:
        stat = hand_track_path(file).stat()
        return file, stat.st_mtime_ns, stat.st_size

    @classmethod
    def execute(cls, *, file: str) -> io.NodeOutput:
        from ..cyberhost_core.controls.pose_keypoint import keypoints_from_pose
        from ..cyberhost_core.hands.track import load_hand_track
        from .helpers.track_player import player

        track = load_hand_track(hand_track_path(file))
        return io.NodeOutput(track, keypoints_from_pose(track.pose), ui=player(track))
