"""Our own skin, free of licences: every bone a capsule that is thicker at its root, the palm a fan of five.

Rigid capsules that share their joints' spheres stay closed however far a finger bends.
"""

from functools import lru_cache

import numpy as np

from ..skeleton import JOINTS, PARENTS, SIDES, TIP_PARENTS, Side, rest_offsets
from .surface import HandSurface, Surfaces, rest_places

# Radii in hand lengths at a finger's three joints and its tip, in MANO's order of fingers.
_FINGER_RADII = (
    (0.064, 0.056, 0.05, 0.042),
    (0.066, 0.058, 0.052, 0.044),
    (0.052, 0.046, 0.042, 0.036),
    (0.061, 0.054, 0.049, 0.042),
    (0.078, 0.068, 0.06, 0.05),
)
_WRIST_RADIUS, _PALM_RADIUS = 0.085, 0.08  # of the five bones from the wrist, at its end and at the fingers'
_HEEL = 0.45  # the palm's bones start this share of their spread beside the wrist: a palm is no fan
_AROUND = 8  # corners of a capsule's cross-section
_LATITUDES_DEG = (-90.0, -45.0, 0.0, 0.0, 45.0, 90.0)  # of the rings, from the root's pole to the tip's


@lru_cache(maxsize=1)
def capsule_surfaces() -> Surfaces:
    """Give both hands."""
    return {side: _surface(side) for side in SIDES}


def _surface(side: Side) -> HandSurface:
    offsets = rest_offsets(side)
    places = rest_places(offsets)
    vertices, normals, faces, owners = [], [], [], []
    for number, (start, end, radii) in enumerate(_bones()):
        begin = places[start] if start else places[end] * (0.0, 0.0, _HEEL)
        points, outward, triangles = _capsule(begin, places[end], radii)
        vertices.append(points)
        normals.append(outward)
        faces.append(triangles + number * len(points))
        owners.append(np.full(len(points), start))
    weights = np.eye(JOINTS)[np.concatenate(owners)]
    return HandSurface(
        side=side,
        vertices_V3=np.concatenate(vertices),
        normals_V3=np.concatenate(normals),
        faces_T3=np.concatenate(faces),
        weights_VJ=weights,
        offsets_P3=offsets,
        blends_V3P=np.zeros((len(weights), 3, 0)),
    )


def _bones() -> list[tuple[int, int, tuple[float, float]]]:
    """List every bone: the joint that moves it, the point that it ends at, its radii."""
    bones = []
    for finger, radii in enumerate(_FINGER_RADII):
        first = 3 * finger + 1
        bones.append((PARENTS[first], first, (_WRIST_RADIUS, _PALM_RADIUS)))
        chain = (first, first + 1, TIP_PARENTS[finger], JOINTS + finger)
        bones += [(chain[i], chain[i + 1], (radii[i], radii[i + 1])) for i in range(3)]
    return bones


def _capsule(
    start_3: np.ndarray, end_3: np.ndarray, radii: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mesh a capsule: rings around its axis, half a sphere at each end; vertices, normals, triangles."""
    along = (end_3 - start_3) / np.linalg.norm(end_3 - start_3)
    aside = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    aside /= np.linalg.norm(aside)
    up = np.cross(along, aside)
    angle = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)[:, None]
    rim = np.cos(angle) * aside + np.sin(angle) * up
    latitude = np.deg2rad(_LATITUDES_DEG)[:, None, None]
    outward = np.cos(latitude) * rim + np.sin(latitude) * along
    half = len(_LATITUDES_DEG) // 2
    centres = np.array([start_3] * half + [end_3] * half)[:, None]
    radius = np.repeat(radii, half)[:, None, None]
    return (centres + radius * outward).reshape(-1, 3), outward.reshape(-1, 3), _tube(len(_LATITUDES_DEG))


def _tube(rings: int) -> np.ndarray:
    """Join neighbouring rings by two triangles per corner; at a pole, which is one point, by one."""
    number = np.arange(rings * _AROUND).reshape(rings, _AROUND)
    beside = np.roll(number, -1, axis=1)
    lower = np.stack([number[:-1], beside[:-1], beside[1:]], axis=-1)[1:]
    upper = np.stack([number[:-1], beside[1:], number[1:]], axis=-1)[:-1]
    return np.concatenate([lower, upper]).reshape(-1, 3)
