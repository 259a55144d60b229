"""The synthetic world: cartoon puppets that speak and gesture, with exact keypoints.

split            which seeds and voices are held out
sentences, speech    voices (bundled or espeak-ng)      mouth, prosody    what a voice does to lips and hands
identity         how a puppet looks                     performance       how it moves in one clip
hand, hand_shapes, gesture    MANO hands                body, face        geometry of the rest
canvas, draw_body, draw_head, draw_hand, renderer       pixels
world            render_video: all of it
clips, gesture_clips    whole sets of them, for training
bundle, driving_clip, hand_tracks    the files under cyberhost_core/bundled
"""
