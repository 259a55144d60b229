"""Exams: whole models tried on held-out data with the measures of `metrics`, against stated targets.

puppets    a video model on puppets          gestures    EMO2's stage 1 on held-out voices
peers      public relatives, against recordings of their own code
guidance   what guidance by parts does, in more and more of the steps
bank_attention   how sharply the regions attend to their latents banks
"""
