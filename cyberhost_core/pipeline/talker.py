"""A loaded checkpoint with the outside networks that it needs, stage by stage.

picture -> Portrait -> what is known of it -> Encoded
sound, driving -> what is told of every frame -> Track
Encoded, Track -> latents, piece by piece -> frames
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from .. import bundled
from ..backbone.vae import DECODE_CHUNK
from ..checkpoints.classifiers import classifiers_of, load_classifiers
from ..checkpoints.file import StoredCheckpoint, open_checkpoint, system_model
from ..conditioners.asks import CLARITY, EMBEDDING, FACE, HANDS, POSE, REGION_WEIGHTS, SOUND, Ask
from ..conditioners.drawn_maps import DrawnMaps
from ..conditioners.sound import Sound as SoundConditioner
from ..conditioners.sound import SoundFeatures
from ..conditioners.values import Encoded, Face
from ..controls.regions import face_area, hand_crops
from ..diffusion.schedule import SAMPLERS
from ..errors import CheckpointError, ConfigError
from ..media.audio import Sound
from ..media.fit import fit_image
from ..media.probe import video_facts
from ..perception.clip_image import ClipImage
from ..perception.detectors import open_pose_detector
from ..perception.face_identity import FaceIdentity
from ..perception.hearing import Hearing, hear, load_hearing
from ..perception.protocols import FindsPoseInBoxes
from ..sampling.critics import Classifiers
from ..sampling.denoise import OnStep, SamplingOptions
from ..sampling.network import place_of
from ..sampling.portrait import portrait_inputs
from ..sampling.track import Track, make_track
from ..sampling.video import sample_video
from ..systems.model import SystemModel
from ..systems.spec import SystemSpec
from ..types import Pose
from ..units import LATENT_STRIDE_PX
from .autoencoders import autoencoder_of
from .driving import Scene, Tell, drawn
from .options import GenerateOptions, Networks
from .portrait import Portrait


class Talker:
    """Run the stages one by one.

    Raises:   CheckpointError: the checkpoint lacks a part that its system needs
    """

    def __init__(self, stored: StoredCheckpoint, model: SystemModel, *, networks: Networks) -> None:
        self.stored, self.model, self.networks, self.spec = stored, model, networks, model.spec
        self.device, _ = place_of(model)
        self.autoencoder = autoencoder_of(stored, networks.vae, device=self.device)
        self.listeners = [_listener(stored, sound) for sound in self.spec.listed(SoundConditioner)]

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        networks: Networks | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a checkpoint; the system computes on the device in the precision, the autoencoder in float32.

        Raises:   CheckpointError, MissingExtraError: a file cannot be used, or a package is missing
        """
        return cls.of(open_checkpoint(path), networks=networks, device=device, dtype=dtype)

    @classmethod
    def of(
        cls,
        stored: StoredCheckpoint,
        *,
        networks: Networks | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load what an open checkpoint holds, see load."""
        model = system_model(stored, dtype=dtype).to(device or torch.device("cpu"))
        return cls(stored, model, networks=networks or Networks())

    @cached_property
    def pose_detector(self) -> FindsPoseInBoxes:
        """What finds people, in the portrait and in a video; opened when somebody looks."""
        return open_pose_detector(self.networks.pose_detector or bundled.require(bundled.POSE_DETECTOR))

    @cached_property
    def face_identity(self) -> FaceIdentity:
        """What tells one face from another."""
        return FaceIdentity(self.networks.face_network or bundled.require(bundled.FACE_IDENTITY))

    def find(self, pictures: np.ndarray) -> Pose:
        """Find the person of one picture (Y, X, 3), or of each of several, (F, Y, X, 3) uint8."""
        return self.pose_detector.detect(pictures, padding=self.networks.padding)

    def fps(self, options: GenerateOptions) -> float:
        """Give the frame rate of the result; a system that hears nothing goes at that of its video."""
        video = options.driving.video
        if options.fps is None and video is not None and not self.listeners:
            return video_facts(video).fps
        return options.fps or self.spec.fps

    def portrait(self, image_YXC: np.ndarray, options: GenerateOptions | None = None) -> Portrait:
        """Crop and scale a picture to the size that the system works at.

        Raises:   ConfigError: another size was asked for than the only one that the system knows
        """
        height, width = self._size(options or GenerateOptions())
        picture = fit_image(image_YXC, height=height, width=width)
        return Portrait(picture_YXC=picture, find=self.find)

    def classifiers(self, portrait: Portrait, options: GenerateOptions) -> Classifiers | None:
        """Read the classifiers that guidance by parts asks; none where it is not asked for.

        Raises:   CheckpointError: there are none, or they are another system's; PoseError: no face
        """
        if options.guidance is None:
            return None
        path = self.networks.classifiers or classifiers_of(self.stored.path)
        height, width = (side // LATENT_STRIDE_PX for side in portrait.picture_YXC.shape[:2])
        device, dtype = place_of(self.model)
        return Classifiers(
            networks=load_classifiers(path, self.spec).to(device, dtype),
            face_HW=face_area(portrait.pose, height=height, width=width).to(device),
        )

    @torch.no_grad()
    def reference(self, portrait: Portrait) -> Encoded:
        """Read everything that the portrait gives.

        Raises:   PoseError: no person; ImageError: a picture of another kind than the model knows
                  ConfigError: something that the system needs of it is missing
        """
        floor_db = float(self.stored.training.get("picture_floor_db", 0.0))
        inputs = portrait_inputs(
            self.spec,
            portrait.picture_YXC,
            _Known(self, portrait),
            autoencoder=self.autoencoder,
            floor_db=floor_db,
        )
        device, dtype = place_of(self.model)
        return self.model.read({name: value.to(device, dtype) for name, value in inputs.items()})

    def heard(self, sound: Sound | None, *, fps: float) -> dict[Ask, Any]:
        """Give what the system hears of a sound, frame by frame; nothing where it hears nothing.

        Raises:   ConfigError: there is no sound, and the system needs one
        """
        told: dict[Ask, Any] = {}
        for listener, listened in zip(self.listeners, self.spec.listed(SoundConditioner), strict=True):
            if sound is None:
                raise ConfigError(f"'{self.spec.name}' follows a voice, and none was given; give a sound.")
            features_FD = hear(listener, sound.speech_T(), frames=sound.frames(fps), fps=fps)
            told[SOUND] = SoundFeatures(features_FD=features_FD, hearing=listened.hearing)
        return told

    def track(
        self,
        sound: Sound | None,
        portrait: Portrait,
        options: GenerateOptions,
        *,
        tell: Tell | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Track:
        """Turn the sound and the controls into what drives each frame; tell counts the work on hands.

        notice: is told what may be a mistake, and is none for sure

        Raises:   ConfigError: a sound is needed and missing, or a control that the system does not know
        """
        told: dict[Ask, Any] = self.heard(sound, fps=self.fps(options))
        told[CLARITY] = 1.0 if options.hand_clarity is None else options.hand_clarity
        if options.region_weights is not None:
            told[REGION_WEIGHTS] = options.region_weights
        for maps in self.spec.listed(DrawnMaps):
            scene = Scene(
                system=self.spec.name,
                maps=maps,
                portrait=portrait,
                find=self.find,
                driving=options.driving,
                audio_FD=told[SOUND].features_FD if SOUND in told else torch.zeros(0, 0),
                fps=self.fps(options),
                seed=options.seed,
                tell=tell,
                notice=notice,
            )
            told |= drawn(scene)
        height, width = portrait.picture_YXC.shape[:2]
        return make_track(self.spec, told, height=height, width=width)

    def latents(
        self,
        reference: Encoded,
        track: Track,
        options: GenerateOptions,
        *,
        on_step: OnStep,
        classifiers: Classifiers | None = None,
    ) -> Iterator[Tensor]:
        """Yield latents (F, C, h, w), a segment at a time; classifiers: where guidance asks them."""
        chosen = sampling_options(self.spec, options, classifiers=classifiers)
        yield from sample_video(self.model, reference, track, chosen, on_step=on_step)

    def frames(
        self,
        reference: Encoded,
        track: Track,
        options: GenerateOptions,
        *,
        on_step: OnStep,
        classifiers: Classifiers | None = None,
    ) -> Iterator[np.ndarray]:
        """Yield decoded frames, uint8 (F, Y, X, 3), a few at a time."""
        for latents in self.latents(reference, track, options, on_step=on_step, classifiers=classifiers):
            for chunk in latents.split(DECODE_CHUNK):
                yield self.decode(chunk)

    @torch.inference_mode()
    def decode(self, latents_FCHW: Tensor) -> np.ndarray:
        """Decode latents to uint8 frames (F, Y, X, 3)."""
        pictures = self.autoencoder.decode(latents_FCHW / self.spec.latent_scale)
        pixels = ((pictures + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def _size(self, options: GenerateOptions) -> tuple[int, int]:
        own = (self.spec.height, self.spec.width)
        if options.size is not None and any(side % LATENT_STRIDE_PX for side in options.size):
            raise ConfigError(
                f"A picture of {options.size[1]} x {options.size[0]} was asked for, but both sides must be "
                f"multiples of {LATENT_STRIDE_PX}; choose such a size."
            )
        if options.size is not None and options.size != own and not self.spec.any_size:
            raise ConfigError(
                f"A picture of {options.size[1]} x {options.size[0]} was asked for, but '{self.spec.name}' "
                f"works at {own[1]} x {own[0]} only; leave the size out."
            )
        return options.size or own


class _Known(dict[Ask, Any]):
    """What is known of a portrait, found out when a conditioner asks for it."""

    def __init__(self, talker: Talker, portrait: Portrait) -> None:
        super().__init__()
        self._find: dict[Ask, Callable[[], Any]] = {
            POSE: lambda: portrait.pose,
            HANDS: lambda: (hand_crops(portrait.picture_YXC, portrait.pose).images_NCHW + 1) / 2,
            FACE: lambda: _face(talker.face_identity, portrait),
            EMBEDDING: lambda: _embedding(talker, portrait),
        }

    def __missing__(self, ask: Ask) -> Any:
        self[ask] = self._find[ask]()
        return self[ask]


def _face(network: FaceIdentity, portrait: Portrait) -> Face:
    pictures, points = portrait.picture_YXC[None], portrait.pose.face_FKC
    return Face(
        unit_D=torch.from_numpy(network.embed_frames(pictures, points)[0]).float(),
        raw_D=torch.from_numpy(network.raw_frames(pictures, points)[0]).float(),
    )


def _embedding(talker: Talker, portrait: Portrait) -> Tensor:
    folder = talker.networks.clip_vision
    if folder is None:
        raise ConfigError(
            f"'{talker.spec.name}' needs {EMBEDDING.words}; name the folder of CLIP's vision tower."
        )
    return ClipImage.from_folder(folder).embed(portrait.picture_YXC)


def _listener(stored: StoredCheckpoint, sound: SoundConditioner) -> Hearing:
    if stored.audio_encoder is None:
        raise CheckpointError(
            f"{stored.path} holds no speech encoder (audio_encoder.), which hears the voice; assemble or "
            "convert one that does, with --audio-encoder."
        )
    return load_hearing(sound.hearing, *stored.audio_encoder)


def sampling_options(
    spec: SystemSpec, options: GenerateOptions, *, classifiers: Classifiers | None = None
) -> SamplingOptions:
    """Fill the checkpoint's values in where none was chosen.

    Raises:   ConfigError: there is no such sampler
    """
    own = spec.guidance.with_scales(reference=options.reference_scale, audio=options.audio_scale)
    schedule = spec.schedule.derive(
        steps=options.steps or spec.schedule.steps, sampler=options.sampler or spec.schedule.sampler
    )
    if schedule.sampler not in SAMPLERS:
        raise ConfigError(
            f"The sampler '{schedule.sampler}' is not known; choose one of: {', '.join(SAMPLERS)}."
        )
    return SamplingOptions(
        schedule=schedule,
        guidance=options.guidance.derive(within=own) if options.guidance else own,
        seed=options.seed,
        classifiers=classifiers,
    )
