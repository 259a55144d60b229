"""What was chosen, against what a system uses: what has no effect, or is missing, ends in a sentence.

It is asked before anything large is loaded.
"""

from ..conditioners.asks import EMBEDDING, FACE, POSE
from ..conditioners.drawn_maps import DrawnMaps
from ..conditioners.hand_clarity import HandClarity
from ..conditioners.sound import Sound
from ..conditioners.sound_regions import SoundRegions
from ..errors import ConfigError
from ..systems.spec import SystemSpec
from .drivers import require_drivers
from .options import GenerateOptions, Networks


def require_usable(
    spec: SystemSpec, options: GenerateOptions, networks: Networks, *, has_sound: bool
) -> None:
    """Compare what was chosen with what a system uses and needs.

    Raises:   ConfigError: something was chosen that has no effect on this system, or something is missing
              that it cannot do without
    """
    in_vain = {
        "A hand clarity (--hand-clarity)": options.hand_clarity is not None and not spec.listed(HandClarity),
        "Weights of regions (--region-weights)": bool(options.region_weights)
        and not spec.listed(SoundRegions),
        "A guidance towards the voice (--audio-scale)": options.audio_scale is not None and not hears(spec),
        "A pose detector (--pose-detector)": bool(networks.pose_detector)
        and not looks_for_people(spec, options),
        "Guidance by parts (--guidance)": options.guidance is not None and not hears(spec),
        "A face network (--face-network)": bool(networks.face_network) and not looks_at_faces(spec),
        "CLIP's vision tower (--clip-vision)": bool(networks.clip_vision)
        and EMBEDDING not in spec.asks_of_portrait,
    }
    for name, is_vain in in_vain.items():
        if is_vain:
            raise ConfigError(f"{name} was given, but '{spec.name}' has no use for it; leave it out.")
    if options.guidance is None and networks.classifiers:
        raise ConfigError(
            "Classifiers were given without a guidance that asks them; choose one with --guidance, or leave "
            "them out."
        )
    maps = spec.listed(DrawnMaps)
    require_drivers(spec.name, maps[0].drawing if maps else None, options.driving)
    if hears(spec) and not has_sound:
        raise ConfigError(
            f"'{spec.name}' follows a voice, and none was given; give a sound, or a driving video that has "
            "one."
        )
    if EMBEDDING in spec.asks_of_portrait and networks.clip_vision is None:
        raise ConfigError(
            f"'{spec.name}' needs {EMBEDDING.words}, and CLIP's vision tower was not given; download "
            "openai/clip-vit-large-patch14 and name its folder with --clip-vision."
        )


def networks_for_puppets(spec: SystemSpec, options: GenerateOptions, networks: Networks) -> list[str]:
    """Name the bundled networks, which know drawn puppets, that a system for people is about to use."""
    if not spec.any_size:
        return []
    used = {
        "--pose-detector": looks_for_people(spec, options) and networks.pose_detector is None,
        "--face-network": looks_at_faces(spec) and networks.face_network is None,
    }
    return [option for option, is_bundled in used.items() if is_bundled]


def hears(spec: SystemSpec) -> bool:
    """Whether a system follows a sound."""
    return bool(spec.listed(Sound))


def looks_for_people(spec: SystemSpec, options: GenerateOptions) -> bool:
    """Whether a pose is needed, of the portrait or of a video's frames."""
    asked = bool(spec.listed(DrawnMaps)) or POSE in spec.asks_of_portrait or looks_at_faces(spec)
    return asked or options.guidance is not None


def looks_at_faces(spec: SystemSpec) -> bool:
    """Whether the portrait's face is needed as a vector."""
    return FACE in spec.asks_of_portrait
