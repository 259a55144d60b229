"""Face identity with an ArcFace-like network: a picture of a face becomes a direction in 512 dimensions.

    68 face points -> eyes, nose, mouth corners -> similarity onto the template
                   -> [N, 3, 112, 112] -> network -> [N, 512] -> length 1

Two faces are compared by the dot product of their vectors. Some models want a vector as long as the network
made it, so that one comes first and the other from it.

Networks: the bundled one for puppets; for people glintr100.onnx (antelopev2) or w600k_r50.onnx (buffalo_l).
They take RGB in -1..1. Files made with MXNet scale their input themselves, and would see it scaled twice.
"""

from pathlib import Path

import numpy as np

from ..errors import CheckpointError, PoseError
from ..types import SEEN
from .network import open_network
from .signatures import FACE_PX
from .warp import inverse, similarity, warp

VECTOR_SIZE = 512
# ArcFace's alignment: eyes (left in the picture first), nose tip, corners of the mouth
TEMPLATE_K2 = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
# the iBUG points whose mean is each of the five
_IBUG_OF_TEMPLATE = (range(36, 42), range(42, 48), (30,), (48,), (54,))


class FaceIdentity:
    """Describe who a face belongs to.

    Raises:   MissingExtraError, CheckpointError: see open_network
    """

    def __init__(self, network_path: str | Path) -> None:
        self._network = open_network(network_path, purpose="Face identity")
        self._network.require_input((3, FACE_PX, FACE_PX))

    @property
    def runs_on(self) -> str:
        """Say what runs the network."""
        return self._network.runs_on

    def embed(self, image_YXC: np.ndarray, face_FKC: np.ndarray) -> np.ndarray:
        """Describe the face of one picture.

        Shapes:   image_YXC (Y, X, 3) uint8 RGB; face_FKC (1, 68, 3); result (512,) float32 of length 1
        Units:    px
        Raises:   PoseError: the face is not seen; CheckpointError: the network gives no such vector
        Source:   ArcFace (Deng et al. 2019); CyberHost (ICLR 2025) section 3.2 "Identity Descriptor"
        """
        return self.embed_frames(image_YXC[None], face_FKC)[0]

    def embed_frames(self, images_FYXC: np.ndarray, face_FKC: np.ndarray) -> np.ndarray:
        """Describe the face of every picture; every one must show it (face_seen tells which do).

        Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB; face_FKC (F, 68, 3); result (F, 512) float32 of length 1
        Units:    px
        Raises:   PoseError: some picture does not show the face; CheckpointError: no such vector
        """
        vectors_FD = self.raw_frames(images_FYXC, face_FKC)
        return vectors_FD / np.maximum(np.linalg.norm(vectors_FD, axis=1, keepdims=True), 1e-12)

    def raw_frames(self, images_FYXC: np.ndarray, face_FKC: np.ndarray) -> np.ndarray:
        """Describe the face of every picture at the length that the network gives.

        Shapes:   images_FYXC (F, Y, X, 3) uint8 RGB; face_FKC (F, 68, 3); result (F, 512) float32
        Units:    px
        Raises:   PoseError: some picture does not show the face; CheckpointError: no such vector
        Source:   InsightFace's `embedding`, beside its `normed_embedding`
        """
        unseen = np.flatnonzero(~face_seen(face_FKC))
        if len(unseen):
            raise PoseError(
                f"The face is not seen in picture {unseen[0] + 1} of {len(face_FKC)}: eyes, nose and mouth "
                f"with scores of at least {SEEN} were expected; use pictures that show the face, or leave "
                "this one out."
            )
        faces = (aligned_face(image, face) for image, face in zip(images_FYXC, face_FKC, strict=True))
        return np.stack([self._vector(face_NCYX) for face_NCYX in faces])

    def _vector(self, face_NCYX: np.ndarray) -> np.ndarray:
        outputs = self._network.run(face_NCYX)
        if len(outputs) != 1 or outputs[0].size != VECTOR_SIZE:
            raise CheckpointError(
                f"The network {self._network.path} gave {len(outputs)} outputs, the first of shape "
                f"{list(outputs[0].shape)}, one vector of {VECTOR_SIZE} numbers was expected; choose an "
                "ArcFace file such as glintr100.onnx or w600k_r50.onnx."
            )
        return outputs[0].reshape(-1).astype(np.float32)


def face_seen(face_FKC: np.ndarray) -> np.ndarray:
    """Tell which frames show eyes, nose tip and both corners of the mouth; (F,) bool."""
    needed = [point for group in _IBUG_OF_TEMPLATE for point in group]
    return np.asarray((face_FKC[:, needed, 2] >= SEEN).all(axis=1))


def aligned_face(image_YXC: np.ndarray, face_KC: np.ndarray) -> np.ndarray:
    """Turn a face upright onto the template.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB; face_KC (68, 3); result (1, 3, 112, 112) float32
    Units:    result -1..1, the network's input scale
    """
    five_K2 = np.stack([face_KC[list(group), :2].mean(axis=0) for group in _IBUG_OF_TEMPLATE])
    image_from_face = inverse(similarity(five_K2.astype(np.float64), TEMPLATE_K2))
    face = warp(image_YXC[None], image_from_face[None], height=FACE_PX, width=FACE_PX)
    return ((face - 127.5) / 127.5).numpy()
