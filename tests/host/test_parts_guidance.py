"""Guidance by classifiers of parts in the host: as the core's, through native samplers and guiders, and off.

The classifiers have random weights: what is compared is how they are asked, not what they know. The host's
Python runs this file too (see inside.py) and has no pytest: fixtures come by their names alone.
"""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

if "inside" in sys.modules:
    from inside import BOX, core, euler_steps, picture_and_voice, told_and_known  # type: ignore[import-not-found]
else:
    from .inside import BOX, core, euler_steps, picture_and_voice, told_and_known

bundled, asks, parts = core("bundled"), core("conditioners.asks"), core("guidance.parts")
classifier, ops = core("backbone.part_classifier"), core("backbone.ops")

SEED, STEPS = 3, 3
SCALES = {"reference_scale": 1.0, "audio_scale": 1.0}  # one pass: what is within is tested elsewhere
STRONG = {"face_weight": 200.0, "non_face_weight": 200.0, "guided": 1.0}
COMPARED = STRONG | {"face_weight": 20.0, "non_face_weight": 20.0}  # a comparison's gradients are steeper


def methods() -> dict[str, Any]:
    """Every way to be compared; the plain one is no guidance by parts."""
    return {
        "none": None,
        "never": parts.SequentialGuidance(guided=0.0),
        "sequential": parts.SequentialGuidance(**COMPARED),
        "differential": parts.DifferentialGuidance(**STRONG),
    }


ENCODERS = {"never": "own", "sequential": "denoiser", "differential": "own"}  # each kind in some way


@cache
def judges(encoder: str) -> Path:
    """Classifiers of the bundled model's system: the denoiser's way down, and random heads."""
    stored = core("checkpoints.file").open_checkpoint(bundled.CHECKPOINT)
    sizes = {"sound": 5 * 96, "width": 16, "heads": 2, "blocks": 1, "encoder": encoder}
    config = classifier.PartClassifierConfig(unet=stored.spec.unet, **sizes)
    torch.manual_seed(0)
    network = classifier.PartClassifiers(config, ops=ops.TORCH_OPS)
    for half in (network.face, network.non_face) if encoder == "own" else ():
        own = half.encoder.state_dict()
        half.encoder.load_state_dict({name: stored.system[f"denoiser.{name}"].float() for name in own})
    path = Path(mkdtemp()) / "classifiers.safetensors"
    core("checkpoints.classifiers").save_classifiers(path, network, system="tiny", training={})
    return path


def sampled_in_core(name: str) -> torch.Tensor:
    pipeline, options = core("pipeline.talker"), core("pipeline.options")
    denoise, video = core("sampling.denoise"), core("sampling.video")
    networks = options.Networks(classifiers=judges(ENCODERS.get(name, "own")))
    talker = pipeline.Talker.load(bundled.CHECKPOINT, networks=networks)
    picture_YXC, voice = picture_and_voice()
    chosen = options.GenerateOptions(
        guidance=parts.SequentialGuidance(), driving=options.Driving(movement=BOX)
    )
    portrait = talker.portrait(picture_YXC, chosen)
    track, reference = talker.track(voice, portrait, chosen), talker.reference(portrait)
    method, within = methods()[name], talker.spec.guidance.derive(**SCALES)
    told = denoise.SamplingOptions(
        schedule=talker.spec.schedule.derive(steps=STEPS, sampler="euler"),
        guidance=method.derive(within=within) if method else within,
        seed=SEED,
        classifiers=talker.classifiers(portrait, chosen),
    )
    noise = video.starting_noise(talker.spec, reference, SEED)(range(12))
    drive = track.of(range(12))
    return video.sample_segment(talker.model, reference, drive, noise, told, on_step=lambda _done, _all: None)


def sampled_in_host(own: str, lent: str, out: str) -> dict[str, float]:
    """In the host: one segment by the pack's sampler, every way; and by native guider and sampler."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
    from pack.nodes.bridge.loading import load
    from pack.nodes.bridge.long_video import sample_track
    from pack.nodes.bridge.parts_guidance import guided, load_classifiers
    from pack.nodes.bridge.passes import make_passes
    from pack.nodes.bridge.reference import read_reference
    from safetensors.torch import save_file

    loaded = load(bundled.CHECKPOINT)
    picture_YXC, _ = picture_and_voice()
    told, known = told_and_known(loaded.audio_encoder)
    bank, _ = read_reference(loaded.parts, loaded.vae, picture_YXC, known=known)
    (full, reference, null), latent, _ = make_passes(
        loaded.parts, bank, told, connected={asks.SOUND, asks.MAP}
    )
    networks = {
        "own": load_classifiers(loaded.model, Path(own)),
        "denoiser": load_classifiers(loaded.model, Path(lent)),
    }

    def area(height: int, width: int) -> torch.Tensor:
        return core("controls.regions").face_area(known[asks.POSE], height=height, width=width)

    sampling = euler_steps(loaded.model, seed=SEED, steps=STEPS, **SCALES)
    made, patched = {}, {}
    for name, method in methods().items():
        patched[name] = loaded.model
        if method:
            patched[name] = guided(loaded.model, networks[ENCODERS[name]], method, area)
        latents = sample_track(patched[name], full=full, reference=reference, null=null, sampling=sampling)
        made[name] = latents[:10].contiguous()
    segment = {"samples": latent["samples"][:12]}
    for name in ("none", "sequential"):
        guider = comfy.samplers.CFGGuider(patched[name])
        guider.set_conds(full, null)
        guider.set_cfg(1.0)
        noise = Noise_RandomNoise(SEED).generate_noise(segment)
        made[f"native, {name}"] = guider.sample(
            noise, segment["samples"], sampling.sampler, sampling.sigmas, seed=SEED, disable_pbar=True
        ).contiguous()
    save_file(made, out)
    return {"ways": len(made)}


@cache
def in_host(inside: Callable[..., Any]) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    out = Path(mkdtemp()) / "latents.safetensors"
    inside(sampled_in_host, judges("own"), judges("denoiser"), out)
    return load_file(out)


def test_guided_on_no_step_the_host_samples_as_without(inside: Callable[..., Any]) -> None:
    found = in_host(inside)
    torch.testing.assert_close(found["never"], found["none"], atol=1e-3, rtol=0)


def test_the_host_is_guided_as_the_core_is(inside: Callable[..., Any]) -> None:
    """What it changes is the same but for a tenth: the strongest value of a channel may be another's."""
    found, plain = in_host(inside), sampled_in_core("none")[:10]
    for name in ("sequential", "differential"):
        changed, expected = found[name] - found["none"], sampled_in_core(name)[:10] - plain
        assert changed.abs().max() > 0.05, "it is seen at all"
        assert (changed - expected).norm() < 0.1 * expected.norm()
    assert (found["differential"] - found["sequential"]).abs().max() > 1e-3


def test_native_guiders_and_samplers_are_guided_too(inside: Callable[..., Any]) -> None:
    found = in_host(inside)
    assert torch.isfinite(found["native, sequential"]).all()
    assert (found["native, sequential"] - found["native, none"]).abs().max() > 0.01
