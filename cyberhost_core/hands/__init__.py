"""Hands as data: where they are and how they are bent, whoever drives them.

track, track_json, ...   keypoints of a person frame by frame, as a file and as a value
parameters               134 numbers per frame (MANO's joints and a place, both hands)
kinematics, poses        from parameters to joints and keypoints      fit, solver   and back
arms, body_offset        what lies between shoulders and wrists       confidence    how sure a detector is
drawing/                 hands and limbs as pictures
"""
