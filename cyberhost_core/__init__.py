"""Audio-driven talking-body video: one portrait and a voice in, a person who speaks and gestures out.

    backbone/     the U-Net and its layers: knows no paper by name
    diffusion/    schedules, guidance, noise
    conditions/   what drives it: audio windows, movement map, skeleton maps, hand clarity, crops
    perception/   outside networks: whole-body pose, face identity, speech
    systems/      published systems as values, the model that holds the parts, sampling of any length
    checkpoints/  one safetensors file in, one out
    pipeline.py   the whole inference story
    training/     stages, losses, trainer      data/  prepared videos      puppets/  the synthetic world
    metrics/      one file per metric          media/ video, audio, images
    cli/          the `cyberhost` command

Source: CyberHost, "A One-stage Diffusion Framework for Audio-driven Talking Body Generation" (ICLR 2025).
"""

__version__ = "0.1.0"
