"""Training: batches, losses, the two stages, the loop, recipes, the autoencoder, and the twins."""
