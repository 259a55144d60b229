"""Put frames together: the ground once, body and head per frame, arms and hands per shutter moment.

background -> torso, head -> sleeves, hands (several moments, averaged: motion blur) -> defocus around the
hands
"""

from dataclasses import dataclass

import numpy as np

from ..hands.skeleton import SIDES
from .canvas import OVERSAMPLING, Canvas, hull, opencv
from .draw_body import draw_background, draw_sleeve, draw_torso
from .draw_hand import draw_hand
from .draw_head import draw_back_hair, draw_head
from .face import Face
from .identity import Identity

MAX_MOMENTS = 5
PIXELS_PER_MOMENT = 1.2  # a hand that moves this far while the shutter is open needs one more moment


@dataclass(frozen=True)
class Scene:
    """Hold all that one clip draws, in pixels of a 128 high picture.

    Shapes:   neck_F2 (F, 2); arms_F2J2 (F, 2, 3, 2); hands_F2K3 (F, 2, 21, 3) with depth; left before right
    Units:    exposure_frames: shutter time in frames; defocus: sigma in pixels of a 128 high picture
    """

    identity: Identity
    face: Face
    neck_F2: np.ndarray
    arms_F2J2: np.ndarray
    hands_F2K3: np.ndarray
    exposure_frames: float
    defocus: float


def render_frames(scene: Scene, *, height: int, width: int) -> np.ndarray:
    """Draw every frame of a scene, uint8 RGB (F, height, width, 3)."""
    ground = Canvas(height=height, width=width)
    draw_background(ground, scene.identity)
    return np.stack([_render_frame(scene, frame, ground) for frame in range(len(scene.neck_F2))])


def _render_frame(scene: Scene, frame: int, ground: Canvas) -> np.ndarray:
    canvas, identity = ground.copy(), scene.identity
    draw_back_hair(canvas, identity, scene.face, frame=frame)
    draw_torso(canvas, identity, neck=scene.neck_F2[frame])
    draw_head(canvas, identity, scene.face, frame=frame, neck=scene.neck_F2[frame])
    moments = _shutter_moments(scene, frame)
    exposures = [_with_arms(scene, moment, canvas, last=moment is moments[-1]) for moment in moments]
    picture = exposures[0] if len(exposures) == 1 else np.mean(exposures, axis=0).round().astype(np.uint8)
    return _defocused(picture, scene, frame)


def _shutter_moments(scene: Scene, frame: int) -> list[float]:
    """Spread moments around the frame, as many as the faster hand needs while the shutter is open."""
    near = [max(frame - 1, 0), min(frame + 1, len(scene.neck_F2) - 1)]
    travel = np.abs(np.diff(scene.hands_F2K3[near][..., :2], axis=0)).max() / 2 * scene.exposure_frames
    count = int(np.clip(np.ceil(travel / PIXELS_PER_MOMENT), 1, MAX_MOMENTS))
    return [frame + scene.exposure_frames * share for share in (np.arange(count) + 0.5) / count - 0.5]


def _with_arms(scene: Scene, moment: float, canvas: Canvas, *, last: bool) -> np.ndarray:
    layer = canvas if last else canvas.copy()
    arms, hands = _between(scene.arms_F2J2, moment), _between(scene.hands_F2K3, moment)
    for hand in range(2):
        draw_sleeve(layer, scene.identity, arms[hand])
    for hand, side in enumerate(SIDES):
        draw_hand(layer, scene.identity, hands[hand], side=side)
    return layer.picture()


def _between(track: np.ndarray, moment: float) -> np.ndarray:
    """Interpolate a track at a moment between two frames; it stands still outside of the clip."""
    moment = float(np.clip(moment, 0, len(track) - 1))
    before = int(moment)
    share = moment - before
    return track[before] if share == 0.0 else (1 - share) * track[before] + share * track[before + 1]


def _defocused(picture: np.ndarray, scene: Scene, frame: int) -> np.ndarray:
    """Blur the hands and a soft rim around them, as a lens does that is focused on the face."""
    height, width = picture.shape[:2]
    sigma = scene.defocus * height / 128.0
    if sigma < 0.15:
        return picture
    cv2 = opencv()
    mask = Canvas(height=height // OVERSAMPLING, width=width // OVERSAMPLING)
    for hand in range(2):
        mask.fill(hull(scene.hands_F2K3[frame, hand, :, :2], radius=4.0), (255, 255, 255))
    soft = cv2.GaussianBlur(mask.pixels, (0, 0), 1.0 * height / 128.0)[..., :1] / np.float32(255.0)
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma)
    return (picture + soft * (blurred.astype(np.float32) - picture)).round().astype(np.uint8)
