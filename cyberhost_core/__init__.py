"""Audio-driven talking-body video: one portrait and a voice in, a person who speaks and gestures out.

The rooms, each importing from those above it alone (tests/contracts/test_rooms.py holds the order):

    media/        files: video, audio, images       backbone/    the U-Net and its layers: knows no paper
    diffusion/    schedules, noise                  guidance/    which passes, and how they combine
    controls/     keypoints and sound to signals    hands/       tracks, kinematics, fitting, drawing
    perception/   outside networks                  gesture/     EMO2's stage 1: hands from a voice
    data/         footage to shards                 conditioners/  the ways into the network
    systems/      published systems as values       sampling/    inference: segments, windows, steps
    checkpoints/  one safetensors file              pipeline/    from files to a video
    puppets/      the synthetic world               training/    stages, losses, one trainer
    metrics/      measures                          reports/     tables, the machine
    profiling/    speed and memory                  exams/       whole models, tried
    cli/          the `cyberhost` command

Source: CyberHost, "A One-stage Diffusion Framework for Audio-driven Talking Body Generation" (ICLR 2025).
"""

__version__ = "0.1.0"
