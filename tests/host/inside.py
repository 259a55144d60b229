"""Run a function of a test file inside a ComfyUI's own Python, as a node would: in inference mode.

    cd ComfyUI && venv/bin/python REPOSITORY/tests/host/inside.py FILE FUNCTION [ARGUMENT ...]

The pack is loaded under a name of its own, as the host does; the file finds the core by `core(...)`. What the
function returns is written as one line of JSON.
"""

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY = Path(__file__).parents[2]
PACK = "pack"
SECONDS = 0.48
BOX = (0.2, 0.1)  # width and height of the movement map, in parts of the picture's


def core(name: str) -> ModuleType:
    """Import a module of cyberhost_core, the pack's own where a host has loaded it."""
    root = f"{PACK}." if PACK in sys.modules else ""
    return importlib.import_module(f"{root}cyberhost_core.{name}")


def picture_and_voice() -> tuple[Any, Any]:
    """A bundled portrait, and half a second of a bundled voice from its first second on."""
    bundled, media = core("bundled"), core("media.audio")
    whole = media.read_sound(bundled.FOLDER / "speech" / "train_08.ogg")
    first = whole.rate_hz
    wave = whole.wave_CT[:, first : first + round(SECONDS * first)]
    voice = media.Sound(wave_CT=wave, rate_hz=whole.rate_hz, name="cut")
    return core("media.images").read_image(bundled.portraits()[0]), voice


def euler_steps(model: Any, *, seed: int, steps: int, reference_scale: float, audio_scale: float) -> Any:
    """In a host: its own noise, euler sampler and simple scheduler, as the sampler node takes them."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
    from pack.nodes.bridge.long_video import HostSampling

    schedule = model.get_model_object("model_sampling")
    return HostSampling(
        noise=Noise_RandomNoise(seed),
        sampler=comfy.samplers.sampler_object("euler"),
        sigmas=comfy.samplers.calculate_sigmas(schedule, "simple", steps),
        reference_scale=reference_scale,
        audio_scale=audio_scale,
    )


def speech_features(audio_encoder: Any) -> Any:
    """In a host: what the pack's audio node makes of the voice."""
    import torch
    from pack.nodes.helpers.hearing import hear

    _, voice = picture_and_voice()
    audio = {"waveform": torch.from_numpy(voice.wave_CT)[None], "sample_rate": voice.rate_hz}
    return hear(audio, encoder=audio_encoder, encoded=None, fps=25.0).heard


def told_and_known(audio_encoder: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """In a host: what drives the tiny model, and what its detectors find in the portrait."""
    import torch

    asks, bundled = core("conditioners.asks"), core("bundled")
    movement, regions = core("controls.movement_map"), core("controls.regions")
    picture_YXC, _ = picture_and_voice()
    pose = core("perception.pose").PoseDetector(bundled.POSE_NETWORK).detect(picture_YXC, padding=1.0)
    box = movement.fixed_box(pose, width_frac=BOX[0], height_frac=BOX[1])
    face = core("perception.face_identity").FaceIdentity(bundled.FACE_NETWORK)
    vector = torch.from_numpy(face.embed(picture_YXC, pose.face_FKC))
    told = {
        asks.SOUND: speech_features(audio_encoder),
        asks.MAP: movement.draw_movement_map(box, height=128, width=96)[None],
        asks.CLARITY: 1.0,
    }
    known = {
        asks.POSE: pose,
        asks.HANDS: (regions.hand_crops(picture_YXC, pose).images_NCHW + 1) / 2,
        asks.FACE: core("conditioners.values").Face(unit_D=vector, raw_D=vector),
    }
    return told, known


def load_pack() -> None:
    """As the host does: under a name of its own, its folder not on the path."""
    spec = importlib.util.spec_from_file_location(
        PACK, REPOSITORY / "__init__.py", submodule_search_locations=[str(REPOSITORY)]
    )
    assert spec and spec.loader
    sys.modules[PACK] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[PACK])


def main(file: str, function: str, *arguments: str) -> Any:
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import torch

    load_pack()
    sys.modules["inside"] = sys.modules[__name__]
    spec = importlib.util.spec_from_file_location("inside_test", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["inside_test"] = module
    with torch.inference_mode():
        spec.loader.exec_module(module)
        return getattr(module, function)(*arguments)


if __name__ == "__main__":
    sys.path[:0] = ["."]
    print("\n" + json.dumps(main(*sys.argv[1:])))  # noqa: T201 - what the caller reads
