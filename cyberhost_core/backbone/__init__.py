"""The networks, built from sites and the layers that a system lists; knows no system by name.

unet, site       the U-Net: blocks of sites              reference_net    its 2D copy that reads the picture
resnet           convolutions, changes of resolution     transformer, attention    attention in a frame
motion_module    attention over time                     audio_transformer         whose sound regions hear
region_attention, latents_bank    RAM                    map_encoder      drawn conditions, hand crops
embeddings, audio_projection      numbers, sound and face to vectors      vae    the small autoencoder
conditions       what a layer may read                   ops              what layers are built from
activation_checkpointing         less memory in training
part_classifier  half a U-Net that says whether pictures and sound belong together
"""
