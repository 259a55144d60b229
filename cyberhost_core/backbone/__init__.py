"""The networks, built from sites and the layers that a system lists; knows no system by name.

unet            the U-Net: blocks of sites              reference_net       its 2D copy that reads the picture
transformer     attention in a frame                    motion_module       attention over time
region_attention, latents_bank   RAM                    map_encoder         drawn conditions, hand crops
embeddings      numbers, sound and face to vectors      vae                 the small autoencoder
conditions      what a layer may read                   ops                 what layers are built from
"""
