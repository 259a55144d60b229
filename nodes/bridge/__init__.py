"""The only part of the pack that imports ComfyUI's own modules.

api                         the node API
ops                         the host's layers for the core's backbone
folders, files, formats     where files lie, and of what kind they are
checkpoint_files, models, gesture_models, classifier_files    which can be chosen, and of
hand_track_files, mano_files    the hands' own
hand_conventions            what is told of other programs' hands
loading, model, vae, audio_encoder    a checkpoint as native MODEL, VAE and AUDIO_ENCODER
reference                   the encoders, run by the host
passes, passage, conds      conditions as CONDITIONING
long_video                  a track of any length, by
guider, windows, own_steps  native guiders and samplers
parts_guidance              classifiers that correct every step, as a patch of a MODEL
outside_inference           values that gradients pass through
video                       results as native VIDEO
progress, notice, running   what the user is told
"""
