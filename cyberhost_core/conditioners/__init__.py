"""The ways into a network, one file each: what it asks for, how it is encoded, and what it is when absent.

reference_features   the ReferenceNet's look at the portrait      motion_frames     and at the frames before
reference_input      the portrait's latents beside the noised     image_tokens      one vector of the portrait
stacked_frames       the portrait, and the last frame before, as frames of the clip
region_identity      this person's hands and face                 drawn_maps        what the body follows
sound                what is heard, frame by frame                sound_regions     which places listen
hand_clarity, hand_confidence                                     numbers per frame

conditioner   what they have in common      asks   what may be asked for      values   what they exchange

A system lists its conditioners; what it does not list does not exist.
"""
