"""From noise to latents.

schedule   noise schedules, prediction types, samplers      noise     noise that belongs to the frame
ddim       the sampler that needs only torch                windows   whole clips, window by window
"""
