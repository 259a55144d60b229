"""How long and how fast each twin learns."""

from ..loop import LoopConfig

SPEECH_LOOP = LoopConfig(
    steps=1300,
    learning_rate=2e-3,
    decay="cosine",
    decay_fraction=1.0,
    decay_to=0.0,
    weight_decay=0.02,
    betas=(0.9, 0.98),
    ema_decay=0.995,
    average_buffers=True,  # batch norms: statistics that fit the averaged weights
    save_every=200,
)
FACE_LOOP = SPEECH_LOOP.derive(steps=900)
POSE_LOOP = SPEECH_LOOP.derive(steps=1700)
