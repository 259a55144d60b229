"""The pack's nodes: one file per stage, each a schema and one call into cyberhost_core.

bridge/ is the only part that imports ComfyUI.
"""

from .align_hands import AlignHands
from .audio_features import AudioFeatures
from .bridge import folders
from .bridge.api import ComfyExtension, io
from .conditions import Conditions
from .decode_video import DecodeVideo
from .dwpose import DWPoseDetector
from .emo2_conditions import EMO2Conditions
from .example import Example
from .example_clip import ExampleClip
from .face_box_map import FaceBoxMap
from .hand_clarity import HandClarity
from .hand_driver_switch import HandDriverSwitch
from .hand_maps import RenderHandMaps
from .hand_motion import HandMotion
from .hand_track_edit import HandTrackEdit
from .hand_track_from_file import HandTrackFromFile
from .hand_track_from_keyframes import HandTrackFromKeyframes
from .hand_track_from_video import HandTrackFromVideo
from .hand_track_join import HandTrackJoin
from .load import LoadCyberHost
from .movement_map import MovementMap
from .parts_guidance import PartsGuidance
from .preview_hand_track import PreviewHandTrack
from .reference_net import ReferenceNetNode
from .region_crops import RegionCrops
from .sampler import Sampler
from .save_hand_track import SaveHandTrack
from .skeleton_map import SkeletonMap

NODES: list[type[io.ComfyNode]] = [
    LoadCyberHost,
    Example,
    ExampleClip,
    AudioFeatures,
    DWPoseDetector,
    MovementMap,
    SkeletonMap,
    HandClarity,
    RegionCrops,
    ReferenceNetNode,
    Conditions,
    Sampler,
    DecodeVideo,
    HandTrackFromVideo,
    HandTrackFromFile,
    SaveHandTrack,
    AlignHands,
    FaceBoxMap,
    HandMotion,
    HandTrackFromKeyframes,
    HandDriverSwitch,
    HandTrackEdit,
    HandTrackJoin,
    PreviewHandTrack,
    RenderHandMaps,
    EMO2Conditions,
    PartsGuidance,
]


class CyberHostExtension(ComfyExtension):
    """What ComfyUI asks for the pack's nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        folders.register()
        return NODES
