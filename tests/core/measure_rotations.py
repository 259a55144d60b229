"""What scipy.spatial.transform.Rotation would cost in place of cyberhost_core.hands' own turns.

python -m tests.core.measure_rotations      from the root; the figures of docs/decisions/0001-dependencies.md
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy.spatial.transform import Rotation

from cyberhost_core.hands import kinematics, quaternions, rotations
from cyberhost_core.puppets import clips, gesture, hand_shapes

SHAPE = (75, 2, 16)  # three seconds of both hands
CLIPS, FRAMES = range(12), 20
NAN_AND_REST = np.stack([np.full((3, 3), np.nan), np.eye(3)])
IMPORT = "import time, numpy; start = time.process_time(); import {}; print(time.process_time() - start)"


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape[:-1], 3, 3)


def axis_angles(matrices: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(*matrices.shape[:-2], 3)


def from_matrices(matrices: np.ndarray) -> np.ndarray:
    turns = Rotation.from_matrix(matrices.reshape(-1, 3, 3))
    return turns.as_quat(canonical=True, scalar_first=True).reshape(*matrices.shape[:-2], 4)


def to_matrices(given: np.ndarray) -> np.ndarray:
    turns = Rotation.from_quat(given.reshape(-1, 4), scalar_first=True)
    return turns.as_matrix().reshape(*given.shape[:-1], 3, 3)


def slerp(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Go from turn to turn: scipy's own Slerp goes along one list of turns, not between two."""
    one, two = (Rotation.from_quat(given.reshape(-1, 4), scalar_first=True) for given in (first, second))
    way = np.broadcast_to(share, (*first.shape[:-1], 1)).reshape(-1, 1) * (one.inv() * two).as_rotvec()
    return (one * Rotation.from_rotvec(way)).as_quat(scalar_first=True).reshape(first.shape)


def microseconds(call: Callable[[], object]) -> float:
    def once() -> float:
        start, calls = time.process_time(), 0
        while time.process_time() - start < 0.1:
            call()
            calls += 1
        return (time.process_time() - start) / calls

    return 1e6 * min(once() for _ in range(5))


def outcome(call: Callable[[], np.ndarray]) -> str:
    try:
        return f"turn of the hand beside it kept: {bool(np.isfinite(call()[1]).all())}"
    except (ValueError, np.linalg.LinAlgError) as error:
        return f"{type(error).__name__}: {error}"


def findings() -> Iterator[str]:
    for module in ("cyberhost_core.hands.fit", "scipy.spatial.transform"):
        ran = subprocess.run([sys.executable, "-c", IMPORT.format(module)], capture_output=True, check=True)
        yield f"importing {module} after numpy: {float(ran.stdout):.2f} s"
    rng = np.random.default_rng(0)
    vectors, others = rng.normal(size=(2, *SHAPE, 3))
    matrices = rotations.rotation_matrices(vectors)
    first, second = quaternions.from_matrices(matrices), quaternions.from_axis_angles(others)
    pairs = {
        "axis angles -> matrices": (rotations.rotation_matrices, rotation_matrices, (vectors,)),
        "matrices -> axis angles": (rotations.axis_angles, axis_angles, (matrices,)),
        "matrices -> quaternions": (quaternions.from_matrices, from_matrices, (matrices,)),
        "quaternions -> matrices": (quaternions.to_matrices, to_matrices, (first,)),
        "slerp": (quaternions.slerp, slerp, (first, second, np.full((75, 1, 1, 1), 0.3))),
    }
    for name, (own, scipys, given) in pairs.items():
        times = [microseconds(lambda call=call, given=given: call(*given)) for call in (own, scipys)]
        same = (own(*given) == scipys(*given)).mean()
        yield f"{name}: own {times[0]:.0f} us, scipy {times[1]:.0f} us, {same:.0%} of the numbers the same"
    yield f"a hand of NaN, own: {outcome(lambda: rotations.axis_angles(NAN_AND_REST))}"
    yield f"a hand of NaN, scipy: {outcome(lambda: axis_angles(NAN_AND_REST))}"
    yield f"a quaternion of length 0, scipy: {outcome(lambda: to_matrices(np.zeros((2, 4))))}"
    yield f"float32 becomes, scipy: {to_matrices(first.astype(np.float32)).dtype}"

    drawn = [clips.render_clip(number, split="train", frames=FRAMES).frames_FYXC for number in CLIPS]
    for module in (hand_shapes, gesture, kinematics):
        for own in (rotation_matrices, axis_angles):
            if hasattr(module, own.__name__):
                setattr(module, own.__name__, own)
    again = [clips.render_clip(number, split="train", frames=FRAMES).frames_FYXC for number in CLIPS]
    pixels = [int((one != two).any(axis=-1).sum()) for one, two in zip(drawn, again, strict=True)]
    yield f"puppet clips with other pixels: {sum(map(bool, pixels))} of {len(pixels)}, {sum(pixels)} pixels"


if __name__ == "__main__":
    for line in findings():
        sys.stdout.write(f"{line}\n")
