"""Prepared videos and gestures: what a trainer reads, and how it is made.

manifest_making    folder of videos -> manifest                manifest    lists real clips
footage            clips -> stores                             encode      pictures -> what a store holds
framing            pictures, keypoints and hands to one size   buckets          sizes of about one area
store, clip        prepared videos, and pieces of them         gesture_store    prepared hands and sound
calibration        what a store says of the values that inference asks for
generated          a model's own clips for prepared sounds
"""
