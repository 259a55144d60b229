"""Metrics: one file per metric, and the benches that put them together.

pose or frames in, numbers out    lip_sync hands plausible_hands movement clarity identity pixels seams
what they share                   statistics controls
does a model make puppets talk?   bench <- plan, takes, measures, bench_rows, report, machine
where does the time go?           speed <- speed_growth, timing
one segment at full size          segment_speed <- device_clock, random_model, random_inputs, autoencoders
what memory does it take?         memory_plan <- live_bytes, fake_tensors, random_inputs, autoencoders
"""
