"""Hands as data: where they are and how they are bent, whoever drives them.

track                               keypoints of a person frame by frame, as a value
track_content, track_json, track_tensors    and as a file
track_npz, track_smplx, track_mano, track_mediapipe     and in files of other programs
conventions, npz_file               what those leave open, and how their arrays are read
upright_body                        a body under SMPL-X's turns, down to the wrists
track_length, track_operations, keyframes   cut, held, edited, posed by hand
alignment, sizes                    fitted to a portrait
parameters, mixing                  134 numbers per frame (MANO's joints and a place, both hands)
skeleton, joints                    which bones there are, how they bend
rotations, quaternions              turns, and their notations
kinematics, poses                   from parameters to joints and keypoints
fit, solver                         and back
arms, arm_chain, body_offset        what lies between shoulders and wrists
limbs                               arms and legs that come with the hands
confidence                          how sure a detector is
drawing                             hands and limbs as pictures
"""
