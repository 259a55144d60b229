"""Hand tracks as pictures: EMO2's maps, and previews."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...cyberhost_core.controls.skeleton_map import draw_skeleton
from ...cyberhost_core.errors import PoseError
from ...cyberhost_core.hands.arms import with_arms
from ...cyberhost_core.hands.confidence import hand_confidence
from ...cyberhost_core.hands.drawing.hand_maps import draw_hand_maps
from ...cyberhost_core.hands.drawing.keypoint_maps import draw_keypoint_maps
from ...cyberhost_core.hands.drawing.surface import Surfaces
from ...cyberhost_core.hands.fit import with_parameters
from ...cyberhost_core.hands.parameters import HandParameters
from ...cyberhost_core.hands.track import HandTrack
from ...cyberhost_core.types import Pose
from ..bridge.progress import counted_steps, in_batches
from .images import image_from_maps
from .person import LARGEST
from .poses import pose_of
from .types import HandMaps

_BATCH = 8  # frames between two looks at Cancel
_DIMMED = 0.6  # the picture below, so that what is drawn stands out
_ROUNDING_PX = 1.5  # a canvas is rounded to whole pixels on both sides


@dataclass(frozen=True)
class Rendered:
    """Maps for the model, and the same memory as IMAGEs (F, Y, X, 3)."""

    maps: HandMaps
    hands_FYXC: Tensor
    keypoints_FYXC: Tensor


def fitted(track: HandTrack) -> HandTrack:
    """Give a track hand parameters where it has none, with progress and Cancel.

    Raises:   PoseError: no frame shows enough of a hand
    """
    if track.parameters is not None:
        return track
    return with_parameters(track, progress=counted_steps())


def rendered(
    track: HandTrack, portrait: list[dict[str, Any]] | None, *, height: int, width: int, surfaces: Surfaces
) -> Rendered:
    """Draw a track that has parameters; with a portrait, arms from its shoulders to the hands.

    Raises:   PoseError: track or portrait have another canvas than the maps, or the portrait no shoulders
    """
    pose = on_canvas(track.pose, height=height, width=width, what="hand track")
    made = track.parameters
    assert made is not None, "fitted before"
    made.require_hands()
    if portrait is not None:
        person = on_canvas(pose_of(portrait, LARGEST)[:1], height=height, width=width, what="portrait's pose")
        pose = with_arms(made, person)
    hands_FYXC = drawn_hands(made, height=height, width=width, surfaces=surfaces)
    keypoints_FYXC = _in_batches(len(pose), lambda batch: draw_keypoint_maps(pose[batch]))
    maps = HandMaps(
        hands_FYXC.movedim(-1, 1),
        keypoints_FYXC.movedim(-1, 1),
        torch.from_numpy(hand_confidence(track.pose)),
        fps=track.fps,
    )
    return Rendered(maps, hands_FYXC, keypoints_FYXC)


def drawn_hands(
    parameters: HandParameters, *, height: int, width: int, surfaces: Surfaces | None = None
) -> Tensor:
    """Render hands as an IMAGE; frames without any stay black."""

    def draw(batch: slice) -> Tensor:
        part = parameters[batch]
        if not part.valid_FH.any():
            return torch.zeros(len(part), 3, height, width)
        return draw_hand_maps(part, height=height, width=width, surfaces=surfaces)

    return _in_batches(len(parameters), draw)


def drawn_skeletons(pose: Pose) -> Tensor:
    """Draw body and hands as an IMAGE."""
    return _in_batches(len(pose), lambda batch: draw_skeleton(pose[batch], parts=("body", "hands")))


def previewed(track: HandTrack, image: Tensor | None, *, surfaces: bool) -> Tensor:
    """Draw a track over pictures, or on black on its own canvas, as an IMAGE.

    Raises:   PoseError: pictures of other proportions or in another number
    """
    height, width = (track.pose.height, track.pose.width) if image is None else image.shape[1:3]
    pose = on_canvas(track.pose, height=height, width=width, what="hand track")
    if surfaces:
        made = fitted(track).parameters
        assert made is not None, "just fitted"
        drawn_FYXC = drawn_hands(made, height=height, width=width)
    else:
        drawn_FYXC = drawn_skeletons(pose)
    return drawn_FYXC if image is None else over(image, drawn_FYXC)


def over(picture_FYXC: Tensor, drawn_FYXC: Tensor) -> Tensor:
    """Lay what is drawn on black over a dimmed picture, one for all frames or one per frame.

    Raises:   PoseError: another number of pictures
    """
    if len(picture_FYXC) not in (1, len(drawn_FYXC)):
        raise PoseError(
            f"There are {len(picture_FYXC)} images for {len(drawn_FYXC)} frames of the hand track, but one "
            "image or one per frame was expected; pick one with ImageFromBatch, or cut the track with Hand "
            "Track Edit."
        )
    cover = drawn_FYXC.amax(dim=-1, keepdim=True).mul(2).clamp(max=1)
    return torch.lerp(picture_FYXC[..., :3].float() * _DIMMED, drawn_FYXC, cover)


def on_canvas(pose: Pose, *, height: int, width: int, what: str) -> Pose:
    """Scale a pose to pictures of a size with the same proportions.

    Raises:   PoseError: other proportions; `what` names the pose in the sentence
    """
    if abs(pose.width * height - pose.height * width) > _ROUNDING_PX * max(
        height, width, pose.height, pose.width
    ):
        raise PoseError(
            f"The {what} lies on a canvas of {pose.width} x {pose.height} px, but {width} x {height} was "
            "asked for, which has other proportions; fit the track to the portrait with Align Hands, and "
            "the portrait to this size."
        )
    return pose.scaled(height=height, width=width)


def _in_batches(frames: int, draw: Callable[[slice], Tensor]) -> Tensor:
    return torch.cat([image_from_maps(draw(batch)) for batch in in_batches(frames, size=_BATCH)])
