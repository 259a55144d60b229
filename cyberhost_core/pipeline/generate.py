"""The whole inference story: one picture and one voice track become a video.

picture -> fitted to the system's size -> pose -> skeleton, hand crops, face vector -> Reference
voice   -> speech features -> frames -> windows ----------------------------------+
movement box or hands, hand clarity or confidence ----------------------------------+-> Track
Reference, Track -> segments of latents -> decoded in chunks -> mp4 with the voice
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import bundled
from ..checkpoints.file import Checkpoint, load_checkpoint
from ..controls.regions import hand_crops
from ..controls.skeleton_map import draw_skeleton
from ..diffusion.guidance import Guidance
from ..diffusion.schedule import SAMPLERS
from ..errors import Cancelled, CheckpointError, ConfigError, ImageError
from ..media.audio import Sound
from ..media.fit import fit_image
from ..media.video import VideoWriter
from ..perception.face_identity import FaceIdentity
from ..perception.hearing import hear, load_hearing
from ..perception.pose import PoseDetector, require_person
from ..systems.encoders import Reference
from ..systems.long_video import sample_video
from ..systems.sampling import SamplingOptions
from ..systems.spec import AudioSpec, SystemSpec
from ..systems.track import Track, audio_windows
from ..types import Pose
from .driving import DRIVABLE, Driving, Tell, driving_maps

DECODE_CHUNK = 16  # frames; bounds the memory of decoding


@dataclass(frozen=True)
class Progress:
    """Say how far a stage is; stages come in order: "prepare", "hands" where hands drive, "sample"."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class GenerateOptions:
    """What may be chosen; None means the checkpoint's own value.

    Units:    hand_clarity: 0..1 of the calibrated range; scale: the written frames are enlarged this many
              times
    """

    seed: int = 0
    steps: int | None = None
    reference_scale: float | None = None
    audio_scale: float | None = None
    fps: float = 25.0
    driving: Driving = field(default_factory=Driving)
    hand_clarity: float | None = None
    sampler: str | None = None
    scale: int = 1


@dataclass(frozen=True)
class GenerateReport:
    """Say what was written, and what it took; seconds cover everything from loading to the last frame."""

    path: Path
    frames: int
    seconds: float
    seconds_per_frame: float
    peak_memory_mb: float | None


def generate(
    checkpoint_path: Path,
    *,
    image_YXC: np.ndarray,
    sound: Sound,
    out_path: Path,
    options: GenerateOptions,
    pose_detector_path: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> GenerateReport:
    """Generate a video of ceil(duration x fps) frames with the sound muxed in.

    Shapes:   image_YXC (Y, X, 3) uint8 RGB, any size; it is cropped to the system's proportions
    Raises:   CyberHostError: every bad input, one sentence each; Cancelled: is_cancelled said so; no file is
              left behind
    Source:   CyberHost sections 3 and 4.1, appendix E
    """
    began = time.perf_counter()
    sound.require_audible()
    stop_if_cancelled = _cancel_check(is_cancelled)
    show = on_progress or _say_nothing
    checkpoint = load_checkpoint(checkpoint_path)
    talker = Talker(
        checkpoint, pose_detector_path=pose_detector_path or bundled.require(bundled.POSE_DETECTOR)
    )
    show(Progress("prepare", 0, 2))
    reference, pose = talker.reference(image_YXC)
    stop_if_cancelled()
    show(Progress("prepare", 1, 2))

    def on_hands(done: int, total: int) -> None:
        stop_if_cancelled()
        show(Progress("hands", done, total))

    track = talker.track(sound, pose, options, tell=on_hands)
    show(Progress("prepare", 2, 2))

    def on_step(done: int, total: int) -> None:
        stop_if_cancelled()
        show(Progress("sample", done, total))

    spec = checkpoint.spec
    with VideoWriter(
        out_path,
        fps=options.fps,
        height=spec.height * options.scale,
        width=spec.width * options.scale,
        sound=sound,
    ) as writer:
        for frames_FYXC in talker.frames(reference, track, options, on_step=on_step):
            writer.write(_enlarged(frames_FYXC, options.scale))
    seconds = time.perf_counter() - began
    return GenerateReport(out_path, len(track), seconds, seconds / len(track), peak_memory_mb())


class Talker:
    """Hold a loaded checkpoint and the outside networks, and run the stages one by one."""

    def __init__(self, checkpoint: Checkpoint, *, pose_detector_path: Path) -> None:
        self.checkpoint, self.spec = checkpoint, checkpoint.spec
        self.audio = _require_drivable(self.spec)
        if checkpoint.vae is None or checkpoint.audio_encoder is None:
            missing = "autoencoder (vae.)" if checkpoint.vae is None else "speech encoder (audio_encoder.)"
            raise CheckpointError(
                f"The checkpoint holds no {missing}, which is needed here; assemble one that does."
            )
        self.vae = checkpoint.vae
        self.ears = load_hearing(self.audio.hearing, *checkpoint.audio_encoder)
        self.pose_detector = PoseDetector(pose_detector_path)
        self.face_identity = FaceIdentity(bundled.require(bundled.FACE_IDENTITY))

    def reference(self, image_YXC: np.ndarray) -> tuple[Reference, Pose]:
        """Find the person and read everything that the reference picture gives.

        Raises:   PoseError: no person; ImageError: the picture is of another kind than the model knows
        """
        picture = fit_image(image_YXC, height=self.spec.height, width=self.spec.width)
        latents = self._encode(picture)
        pose = require_person(self.pose_detector.detect(picture, padding=1.0))
        return self.reference_of(picture, pose, latents), pose

    @torch.inference_mode()
    def reference_of(self, picture_YXC: np.ndarray, pose: Pose, latents_1CHW: Tensor) -> Reference:
        """Read the reference from a picture whose pose is known."""
        return self.checkpoint.model.encode_reference(
            latents_BCHW=latents_1CHW,
            skeleton_BCYX=draw_skeleton(pose),
            hand_crops_BHCYX=(hand_crops(picture_YXC, pose).images_NCHW[None] + 1) / 2,
            face_vector_BD=torch.from_numpy(self.face_identity.embed(picture_YXC, pose.face_FKC))
            .reshape(1, -1)
            .float(),
        )

    def track(self, sound: Sound, pose: Pose, options: GenerateOptions, *, tell: Tell | None = None) -> Track:
        """Turn the sound and the controls into what drives each frame; tell counts the work on hands."""
        frames = sound.frames(options.fps)
        features = hear(self.ears, sound.speech_T(), frames=frames, fps=options.fps)
        drawn = driving_maps(
            self.spec,
            pose,
            options.driving,
            audio_FD=features,
            fps=options.fps,
            seed=options.seed,
            tell=tell,
        )
        return Track(
            audio_FWD=audio_windows(self.spec, features, hearing=self.audio.hearing),
            maps_FCYX=drawn.maps_FCYX,
            confidence_F2=drawn.confidence_F2,
            clarity_4=self._clarity(1.0 if options.hand_clarity is None else options.hand_clarity),
        )

    def frames(
        self,
        reference: Reference,
        track: Track,
        options: GenerateOptions,
        *,
        on_step: Callable[[int, int], None],
    ) -> Iterator[np.ndarray]:
        """Yield decoded frames, uint8 (F, Y, X, 3), a segment at a time."""
        for latents in sample_video(
            self.checkpoint.model,
            reference,
            track,
            sampling_options(self.checkpoint, options),
            on_step=on_step,
        ):
            for chunk in latents.split(DECODE_CHUNK):
                yield self.decode(chunk)

    @torch.inference_mode()
    def decode(self, latents_FCHW: Tensor) -> np.ndarray:
        """Decode latents to uint8 frames (F, Y, X, 3)."""
        pictures = self.vae.decode(latents_FCHW)
        return ((pictures + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()

    @torch.inference_mode()
    def _encode(self, picture_YXC: np.ndarray) -> Tensor:
        """Encode the picture, and see whether the autoencoder can give it back at all.

        Raises:   ImageError: it cannot: the picture is unlike anything that the model was trained on
        """
        x = torch.from_numpy(picture_YXC.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        latents = self.vae.encode(x)
        floor = float(self.checkpoint.training.get("picture_floor_db", 0.0))
        error = float((self.vae.decode(latents) - x).pow(2).mean()) / 4
        decibels = -10 * np.log10(max(error, 1e-10))
        if decibels < floor:
            raise ImageError(
                "The picture is unlike what this model was trained on (it comes back from its autoencoder "
                f"with {decibels:.1f} dB, at least {floor:.1f} dB was expected): '{self.spec.name}' knows "
                "drawn puppets only; use a bundled portrait, or give weights for people with --checkpoint."
            )
        return latents

    def _clarity(self, wanted: float) -> Tensor:
        if self.spec.clarity is None:
            return torch.zeros(4)
        low, high = torch.tensor(self.spec.clarity.low), torch.tensor(self.spec.clarity.high)
        return low + wanted * (high - low)


def sampling_options(checkpoint: Checkpoint, options: GenerateOptions) -> SamplingOptions:
    """Fill the checkpoint's values in where none was chosen."""
    spec = checkpoint.spec
    schedule = spec.schedule.derive(
        steps=options.steps or spec.schedule.steps, sampler=options.sampler or spec.schedule.sampler
    )
    if schedule.sampler not in SAMPLERS:
        raise ConfigError(
            f"The sampler '{schedule.sampler}' is not known; choose one of: {', '.join(SAMPLERS)}."
        )
    return SamplingOptions(
        schedule=schedule,
        guidance=Guidance(
            reference_scale=spec.reference_scale
            if options.reference_scale is None
            else options.reference_scale,
            audio_scale=spec.audio_scale if options.audio_scale is None else options.audio_scale,
        ),
        seed=options.seed,
    )


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in MiB; None where the system does not say (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # macOS counts bytes, Linux KiB


def _require_drivable(spec: SystemSpec) -> AudioSpec:
    if spec.map_kind not in DRIVABLE or spec.audio is None:
        raise ConfigError(
            f"'{spec.name}' is driven by {spec.map_kind.replace('_', ' ')} maps, but one that is driven by "
            "a voice and a movement box or hands was expected; run this checkpoint in ComfyUI, whose "
            "workflows draw such maps."
        )
    return spec.audio


def _enlarged(frames_FYXC: np.ndarray, scale: int) -> np.ndarray:
    if scale == 1:
        return frames_FYXC
    x = torch.from_numpy(frames_FYXC).permute(0, 3, 1, 2).float()
    larger = torch.nn.functional.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)
    return larger.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _say_nothing(_: Progress) -> None:
    pass


def _cancel_check(is_cancelled: Callable[[], bool] | None) -> Callable[[], None]:
    def check() -> None:
        if is_cancelled and is_cancelled():
            raise Cancelled("Stopped as asked; no file was written.")

    return check
