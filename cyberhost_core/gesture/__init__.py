"""Hands as numbers: parameters, skeleton and surfaces, maps of them, and what is done to tracks.

parameters     134 numbers per frame          quaternions, rotations   turns in three notations
skeleton       joints and bones, ours          kinematics               turns -> joints and keypoints
surface        skin over joints                capsules, mano_file      our own; a user's MANO file
mano_pickle    reads it, runs no code          body_offset              where the body is, for stage 1
hand_maps      parameters -> pictures          triangles                the rasteriser with depth
keypoint_maps  arms and legs -> pictures       motion_maps             both as channels of one
poses          parameters -> keypoints         hand_fit, ...            keypoints -> parameters
mixing         between two tracks              track_operations         amplitude, speed, mirror, ...
arms           hands and a portrait -> a body
hand_confidence                                how sure a detector was of each hand
"""
