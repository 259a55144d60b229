"""Training of EMO2's stage 1.

batches    hand motion with its sound      learner    the loss      recipes    runs as values      run    one
recipe_files   runs from files
"""
