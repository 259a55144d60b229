"""Hands and limbs as pictures: rendered surfaces, keypoint maps, and the maps that EMO2 is driven by.

motion_maps               all channels: hand_maps, the surfaces, and keypoint_maps, the limbs
surface, triangles        a skin that follows the joints, and its rasteriser
capsules                  our own skin
mano_file, mano_pickle    a user's own, converted
"""
