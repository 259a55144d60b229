"""Prepared videos and gestures: what a trainer reads, and how it is made.

manifest_making  folder of videos -> manifest      manifest   lists real clips      footage  them -> stores
framing          pictures, keypoints and hands to one size    encode     pictures -> what a store holds
store            prepared videos                              gesture_store   prepared hands and sound
"""
