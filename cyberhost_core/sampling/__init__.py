"""Inference, told once: the command line and ComfyUI's nodes both call what is here.

portrait   a picture and what is known of it -> inputs     track    what is told of every frame -> drive
chain      a long video as segments, one after another     windows  as windows that overlap in every step
network    the denoiser under a guidance                   denoise  from noise to latents, step by step
critics    classifiers that a guidance may ask      video    all of it for the core's own model
"""
