"""Training of EMO2's stage 1.

batches    hand motion with its sound      learner    the loss
recipes    runs, from files                run        one of them
"""
