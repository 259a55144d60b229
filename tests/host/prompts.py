"""Small prompts in the server's own format, for tests that need less than a workflow."""

import pytest

from .server import Client, RunError

TINY = "tiny (bundled puppets)"
TINY_UNIFIED = "tiny-paha (bundled puppets, one network)"
TINY_HANDS = "tiny-emo2 (bundled puppets, driven by hands)"
Prompt = dict[str, dict]


def node(kind: str, **inputs) -> dict:
    return {"class_type": kind, "inputs": inputs}


def portrait(**replaced: dict) -> Prompt:
    """Everything up to the reference; its nodes can be replaced by name."""
    return {
        "load": node("CyberHostLoad", checkpoint=TINY),
        "example": node("CyberHostExample", portrait="puppet_0.png", voice="train_08.ogg"),
        "detect": node(
            "CyberHostDWPose", image=["example", 0], detector="puppet-pose (bundled)", padding=1.0
        ),
        "crops": node("CyberHostRegionCrops", image=["example", 0], pose=["detect", 0], person=-1),
        "reference": node(
            "CyberHostReferenceNet",
            parts=["load", 1],
            vae=["load", 2],
            image=["example", 0],
            pose=["detect", 0],
            crops=["crops", 0],
        ),
        **replaced,
    }


def segment(**replaced: dict) -> Prompt:
    """A whole run of half a second and one step, up to the latents."""
    track = {
        "voice": node("TrimAudioDuration", audio=["example", 1], start_index=1.0, duration=0.48),
        "features": node("CyberHostAudioFeatures", audio=["voice", 0], fps=25.0, audio_encoder=["load", 3]),
        "map": node("CyberHostMovementMap", pose=["detect", 0], width=0.2, height=0.1, box="", person=-1),
        "conditions": node(
            "CyberHostConditions",
            parts=["load", 1],
            reference=["reference", 0],
            audio_features=["features", 0],
            map=["map", 0],
            hand_clarity=1.0,
        ),
        "noise": node("RandomNoise", noise_seed=0),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("BasicScheduler", model=["load", 0], scheduler="simple", steps=1, denoise=1.0),
        "sample": node(
            "CyberHostSampler",
            model=["load", 0],
            positive=["conditions", 0],
            reference_only=["conditions", 1],
            negative=["conditions", 2],
            noise=["noise", 0],
            sampler=["sampler", 0],
            sigmas=["sigmas", 0],
            reference_scale=1.5,
            audio_scale=2.0,
        ),
    }
    return portrait(**(track | replaced))


def natively_guided(prompt: Prompt) -> Prompt:
    """The same run with ComfyUI's own dual guidance and sampler, for one segment, as the node "native"."""
    return prompt | {
        "guider": node(
            "DualCFGGuider",
            model=["load", 0],
            cond1=["conditions", 0],
            cond2=["conditions", 1],
            negative=["conditions", 2],
            cfg_conds=2.0,
            cfg_cond2_negative=1.5,
            style="regular",
        ),
        "native": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["sampler", 0],
            sigmas=["sigmas", 0],
            latent_image=["conditions", 3],
        ),
    }


def heard(audio: list, *, fps: float | list = 25.0, **more: dict) -> Prompt:
    """Just the audio features of a sound."""
    return {
        "load": node("CyberHostLoad", checkpoint=TINY),
        "features": node("CyberHostAudioFeatures", audio=audio, fps=fps, audio_encoder=["load", 3]),
        **more,
    }


def shown(host: Client, prompt: Prompt, *source: str | int) -> str:
    """Run up to one output and give it as text."""
    ui = host.run({**prompt, "show": node("PreviewAny", source=list(source))})["show"]
    return ui["text"][0]


def complaint(host: Client, prompt: Prompt, *source: str | int) -> str:
    with pytest.raises(RunError) as failure:
        shown(host, prompt, *source)
    return str(failure.value)
