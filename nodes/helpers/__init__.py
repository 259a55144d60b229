"""What several nodes share, or a node hands its work to: no schema, and nothing of ComfyUI's own modules.

types                               the pack's own wires
images, audio, poses, crops         the host's values and the core's
detection, person, face_area        people in pictures, which of them, and where their face is
hearing, speech_steps               a voice, row by row
tracks, track_length, rate          hand tracks, and how long they last
hand_motion, hand_pictures          hands from a voice, and as pictures
drawn_frames, decoding              long clips, a few frames at a time
track_player, movement_box, clarity_pictures    what the browser shows
"""
