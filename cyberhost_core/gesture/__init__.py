"""EMO2's first stage: hand motion from a voice. The network alone; hands as data are in `hands`.

forms        which numbers are made: hands, keypoints, arms     transformer   the network
model        network, statistics and settings as one value      sampling      motion of any length
untaught     what is asked of a model that never learnt it
"""
