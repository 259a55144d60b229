"""Speed and memory, counted and measured.

speed, speed_growth, timing                     a checkpoint on this machine
segment_speed, device_clock                     one segment at full size, on any device
memory_plan, training_plan                      what a segment and a training step take, counted
live_bytes, fake_tensors                        bytes, operation by operation, without allocating them
random_model, random_inputs, random_batch       a system and its input that know nothing
"""
