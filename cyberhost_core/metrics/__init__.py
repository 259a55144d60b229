"""Metrics: one file per metric, and the benches that put them together.

pose or frames in, numbers out    lip_sync hands plausible_hands movement clarity identity pixels seams
hand motion in, numbers out       motion_diversity beat_alignment keypoint_accuracy frechet_gesture
    what they need                gesture_beats hand_joints gesture_windows gesture_features
    all of them, seed by seed     gesture_report <- gesture_numbers
what they share                   statistics controls
does a model make puppets talk?   bench <- plan, takes, measures, bench_rows, report, machine
where does the time go?           speed <- speed_growth, timing
one segment at full size          segment_speed <- device_clock, random_model, random_inputs, autoencoders
what memory does it take?         memory_plan <- live_bytes, fake_tensors, random_inputs, autoencoders
"""
