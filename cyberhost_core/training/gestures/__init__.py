"""Training of EMO2's stage 1: batches of hand motion with its sound, the loss, recipes, a run."""
