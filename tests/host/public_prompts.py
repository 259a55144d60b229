"""Prompts for the public models, up to the latents, at the size of a bundled portrait (96 x 128).

Nodes can be replaced by name; None takes a node away, as if nobody had connected it.
"""

from .prompts import Prompt, node

GESTURE = "puppet_gesture.json (bundled)"
STEPS = 4  # divides the 1000 steps of training: ComfyUI's 'simple' and DDIM's trailing spacing then agree
SEED = 3


def echomimic_v2(**replaced: dict) -> Prompt:
    """15 frames, driven by Whisper features and a hand track: more than one window of 12."""
    return {
        **_portrait("echomimic-v2"),
        **_voice(seconds=0.6, fps=24.0),
        "track": node("CyberHostHandTrackFromFile", file=GESTURE),
        "map": node("CyberHostSkeletonMap", pose=["track", 1], parts="hands (EchoMimicV2)", person=-1),
        "reference": reference(),
        "conditions": conditions(audio_features=["features", 0]),
        **_sampling(scale=2.5),
        **replaced,
    }


def hallo(**replaced: dict) -> Prompt:
    """20 frames, driven by speech alone: two segments of 16."""
    return {
        **_portrait("hallo"),
        **_voice(seconds=0.8, fps=25.0),
        **_pose(),
        "crops": node(
            "CyberHostRegionCrops",
            image=["example", 0],
            pose=["pose", 0],
            person=-1,
            face_network="puppet-face (bundled)",
        ),
        "map": node("CyberHostFaceBoxMap", pose=["pose", 0], person=-1),
        "reference": reference(pose=["pose", 0], crops=["crops", 0]),
        "conditions": conditions(audio_features=["features", 0]),
        **_sampling(scale=3.5),
        **replaced,
    }


def animate_anyone(**replaced: dict) -> Prompt:
    """8 frames, driven by the skeletons of a hand track's person."""
    return {
        **_portrait("animate-anyone"),
        "track": node("CyberHostHandTrackFromFile", file=GESTURE),
        "skeletons": node("CyberHostSkeletonMap", pose=["track", 1], parts="whole body", person=-1),
        "map": node("ImageFromBatch", image=["skeletons", 0], batch_index=0, length=8),
        "reference": reference(),
        "conditions": conditions(),
        **_sampling(scale=3.5),
        **replaced,
    }


def reference(**more: list) -> dict:
    return node("CyberHostReferenceNet", parts=["load", 1], vae=["load", 2], image=["example", 0], **more)


def conditions(**more: list) -> dict:
    return node(
        "CyberHostConditions",
        parts=["load", 1],
        reference=["reference", 0],
        **({"map": ["map", 0], "hand_clarity": 1.0} | more),
    )


def _portrait(kind: str) -> Prompt:
    return {
        "load": node("CyberHostLoad", checkpoint=f"{kind}.safetensors"),
        "example": node("CyberHostExample", portrait="puppet_0.png", voice="train_08.ogg"),
    }


def _voice(*, seconds: float, fps: float) -> Prompt:
    return {
        "voice": node("TrimAudioDuration", audio=["example", 1], start_index=1.0, duration=seconds),
        "features": node("CyberHostAudioFeatures", audio=["voice", 0], fps=fps, audio_encoder=["load", 3]),
    }


def _pose() -> Prompt:
    return {
        "pose": node("CyberHostDWPose", image=["example", 0], detector="puppet-pose (bundled)", padding=1.0)
    }


def _sampling(*, scale: float) -> Prompt:
    return {
        "noise": node("RandomNoise", noise_seed=SEED),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("BasicScheduler", model=["load", 0], scheduler="simple", steps=STEPS, denoise=1.0),
        "sample": node(
            "CyberHostSampler",
            model=["load", 0],
            positive=["conditions", 0],
            reference_only=["conditions", 1],
            negative=["conditions", 2],
            noise=["noise", 0],
            sampler=["sampler", 0],
            sigmas=["sigmas", 0],
            reference_scale=scale,
            audio_scale=scale,
        ),
    }
