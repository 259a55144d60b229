"""MediaPipe's points of bodies and faces in the places where a Pose has them.

33 body points --> OpenPose's 18, with the neck in the middle of the shoulders   (hands: same 21, same order)
468 face points --> iBUG's 68: those vertices of the mesh that lie where iBUG's are marked
"""

import numpy as np

# MediaPipe's body points that are asked for by name
LEFT_EYE, RIGHT_EYE, MOUTH_LEFT, MOUTH_RIGHT = 2, 5, 9, 10
LEFT_SHOULDER, RIGHT_SHOULDER = 11, 12
LEFT_WRIST, LEFT_PINKY, LEFT_INDEX = 15, 17, 19
RIGHT_WRIST, RIGHT_PINKY, RIGHT_INDEX = 16, 18, 20

_NECK = 1
# OpenPose: nose, (neck), right shoulder elbow wrist, left ..., right hip knee ankle, left ..., eyes, ears
_BODY_WITHOUT_NECK = [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
_OF_BODY = [0, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7]

RIGHT_CORNER, LEFT_CORNER = 33, 263  # outer corners of the eyes in the mesh
FACE_68 = [
    *(127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356),  # jaw
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # brows
    *(168, 197, 5, 4, 98, 97, 2, 326, 327),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # lips from outside
    *(78, 82, 13, 312, 308, 317, 14, 87),  # and from inside
]


def openpose_body(points_KC: np.ndarray) -> np.ndarray:
    """Sort MediaPipe's body points into OpenPose's.

    Shapes:   points_KC (33 or more, 3) x, y, score; result (18, 3)
    Units:    the neck's score is the lower of both shoulders'
    Source:   MediaPipe's pose topology; OpenPose's
    """
    body_KC = np.zeros((18, 3), dtype=np.float32)
    body_KC[_BODY_WITHOUT_NECK] = points_KC[_OF_BODY]
    shoulders_KC = points_KC[[LEFT_SHOULDER, RIGHT_SHOULDER]]
    body_KC[_NECK, :2] = shoulders_KC[:, :2].mean(axis=0)
    body_KC[_NECK, 2] = shoulders_KC[:, 2].min()
    return body_KC
