"""Hands and limbs as pictures: rendered surfaces, keypoint maps, and the maps that EMO2 is driven by."""
