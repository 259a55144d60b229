"""Measures, one file each; whole exams are in `exams`, speed and memory in `profiling`.

pose or frames in, numbers out    lip_sync hands plausible_hands movement clarity identity pixels seams
                                  hand_landing
hand motion in, numbers out       motion_diversity beat_alignment keypoint_accuracy frechet_gesture
                                  feature_diversity
    what they need                gesture_beats hand_joints gesture_windows gesture_features
what they share                   statistics controls
"""
