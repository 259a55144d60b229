"""What the outside networks fixed about their inputs and outputs; their twins keep to it.

DWPose    [N, 3, 384, 288] -> simcc_x [N, 133, 288 * 2], simcc_y [N, 133, 384 * 2]
ArcFace   [N, 3, 112, 112] -> [N, 512]
"""

INPUT_HEIGHT, INPUT_WIDTH = 384, 288
BINS_PER_PX = 2
FACE_PX = 112
