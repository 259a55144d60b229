"""The synthetic world: cartoon puppets that speak and gesture, with exact keypoints.

split         which seeds and voices are held out
speech        voices (bundled or espeak-ng)      mouth, prosody   what a voice does to lips and hands
identity      how a puppet looks                 performance      how it moves in one clip
hand, hand_shapes, gesture    MANO hands         body, face       geometry of the rest
canvas, draw_*, renderer                         pixels
world         render_video: all of it            bundle           makes the files under cyberhost_core/bundled
"""
