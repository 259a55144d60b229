"""From noise to latents.

schedule   noise schedules, prediction types, samplers      noise     noise that belongs to the frame
guidance   which passes a prediction is made of             windows   whole clips, window by window
"""
