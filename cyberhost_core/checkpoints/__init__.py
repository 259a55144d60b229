"""One safetensors file per system, and the conversion of other people's files into one.

file, building, packing, parts, sharing     the checkpoint: written, read, built from, packed to eight bits
specs                                       a system's specification in it, older files' too
sources, streaming, writing                 one tensor at a time: read, written, a whole checkpoint
accounting                                  what became of every name
peers, peer_files                           public models: names and peculiarities, which file is which part
catalogue, hub, fetching                    public models that can be fetched: which, from where, in one step
assemble, initial, starting                 systems from their parents; the first weights of a training run
stable_diffusion, autoencoders, picture_encoder    either autoencoder: to code, to count, to prepare data
provenance                                  what is said of data and licence
small_files, gestures, classifiers          networks of one file each; stage 1 of EMO2; judges of parts
preview, trained                            what latents look like; what trained weights say of themselves
companions                                  autoencoder and audio encoder beside it
unet_names, motion_names, autoencoder_names      Stable Diffusion's and AnimateDiff's names in ours
"""
