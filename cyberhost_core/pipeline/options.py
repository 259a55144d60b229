"""What may be chosen for a video: how it is sampled, what drives it, and the outside networks."""

from dataclasses import dataclass, field
from pathlib import Path

from .. import bundled
from ..guidance.parts import PartsGuidance
from ..hands.conventions import Conventions
from ..hands.skeleton import Side

PEOPLE_PADDING = 1.25  # DWPose's own, around a person's box


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Where the outside networks lie; None: the bundled ones, which know drawn puppets.

    clip_vision: folder of CLIP's vision tower; vae: whose autoencoder is used, see load_autoencoder. Both are
    asked for only where a system needs them. classifiers: of face and of the rest, for guidance by parts;
    None: those beside the checkpoint, named as it is with "-classifiers" behind.
    """

    pose_detector: Path | None = None
    face_network: Path | None = None
    clip_vision: Path | None = None
    vae: Path | None = None
    classifiers: Path | None = None

    @property
    def padding(self) -> float:
        """Room around a picture for the detector, as a ratio of its size.

        A puppet fills its picture; DWPose wants the room around a person that it was trained with. Detectors
        of puppets are the bundled ones, and those that training wrote in the same format; the people
        detector sees its picture whole in a square, however it is framed.
        """
        path = self.pose_detector
        sees_it_whole = (
            path is None or path.suffix == bundled.POSE_NETWORK.suffix or path.parent == bundled.FOLDER
        )
        return 1.0 if sees_it_whole else PEOPLE_PADDING


@dataclass(frozen=True, kw_only=True)
class Driving:
    """What drives a video; None means the weights' own value, or nothing.

    Units:    movement: width and height of the movement box as fractions of the picture; amplitude: of the
              left and the right hand, times what is usual
    track: a hand track file; conventions: what it leaves open, where another program wrote it. video: a clip
    whose person drives; when_short: what to do where either ends before the sound: "hold last" (None), "loop"
    or "error". gestures: weights of stage 1; None: the bundled ones. style: of hands made from the voice, one
    of the weights' own; None: "speaking". one_hand: "left" or "right", the only hand to make from the voice;
    None: both.
    """

    movement: tuple[float, float] | None = None
    track: Path | None = None
    conventions: Conventions | None = None
    video: Path | None = None
    when_short: str | None = None
    gestures: Path | None = None
    amplitude: tuple[float, float] | None = None
    style: str | None = None
    one_hand: Side | None = None


@dataclass(frozen=True, kw_only=True)
class GenerateOptions:
    """What may be chosen; None means the checkpoint's own value.

    Units:    hand_clarity: 0..1 of the calibrated range; region_weights: how much head and body, face, and
              lips follow the sound; size: height and width of the picture, for systems that take any; scale:
              the written frames are enlarged this many times
    guidance: by classifiers of parts; the system's own is put within it
    """

    seed: int = 0
    steps: int | None = None
    reference_scale: float | None = None
    audio_scale: float | None = None
    guidance: PartsGuidance | None = None
    fps: float | None = None
    driving: Driving = field(default_factory=Driving)
    hand_clarity: float | None = None
    region_weights: tuple[float, float, float] | None = None
    sampler: str | None = None
    size: tuple[int, int] | None = None
    scale: int = 1
