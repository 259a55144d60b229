"""Which public models can be fetched: where their files lie, and under which licence. Values, nothing else.

    Download    files of one repository of the Hugging Face hub, what they are for, their licence
    Offer       a model: what is converted into one file, and what is used beside that file as it is

Source: docs/public-models.md; sizes and licences are those on the projects' pages, as we saw them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NOT_STATED = "not stated"
TRAINED_FROM = "All of them were trained from Stable Diffusion 1.x, which has a licence of its own."

_KB, _MB = 10**3, 10**6


@dataclass(frozen=True, kw_only=True)
class Download:
    """Name files of one repository.

    Units:    files: name -> bytes as its page says them (rounded), None where it does not; weights first.
              folder: where, inside the user's, files go that are used as they are
    """

    repository: str
    files: Mapping[str, int | None]
    purpose: str
    licence: str
    folder: str = ""

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{self.repository}"

    def placed(self, folder: Path) -> list[Path]:
        """Where its files go if they are used as they are."""
        return [folder / self.folder / Path(name).name for name in self.files]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Describe a model; kind and accelerated are those of `cyberhost convert`."""

    kind: str
    purpose: str
    network: Download
    vae: Download
    audio_encoder: Download | None = None
    beside: tuple[Download, ...] = ()
    accelerated: bool = False

    @property
    def system(self) -> str:
        """What the converted file calls itself."""
        return f"{self.kind}-accelerated" if self.accelerated else self.kind

    @property
    def converted(self) -> tuple[Download, ...]:
        """What goes into the one file."""
        return (self.network, self.vae, *([self.audio_encoder] if self.audio_encoder else []))

    @property
    def downloads(self) -> tuple[Download, ...]:
        return (*self.converted, *self.beside)


_VAE = Download(
    repository="stabilityai/sd-vae-ft-mse-original",
    files={"vae-ft-mse-840000-ema-pruned.safetensors": 335 * _MB},
    purpose="autoencoder",
    licence="MIT",
)
_WHISPER = Download(
    repository="openai/whisper-tiny",
    files={"model.safetensors": 151 * _MB, "config.json": 2 * _KB},
    purpose="hears the voice",
    licence="Apache-2.0",
)
_WAV2VEC = Download(
    repository="facebook/wav2vec2-base-960h",
    files={"model.safetensors": 378 * _MB, "config.json": 1600, "preprocessor_config.json": 159},
    purpose="hears the voice",
    licence="Apache-2.0",
)
_DWPOSE = Download(
    repository="yzd-v/DWPose",
    files={"dw-ll_ucoco_384.onnx": 134 * _MB},
    purpose="detects people",
    licence="Apache-2.0",
)
_FACE_IDENTITY = Download(
    repository="fudan-generative-ai/hallo",
    files={"face_analysis/models/glintr100.onnx": 261 * _MB},
    purpose="describes the face",
    licence="MIT; InsightFace, which made the network, says non-commercial research only "
    "(https://github.com/deepinsight/insightface/tree/master/python-package#license)",
)
_CLIP = Download(
    repository="openai/clip-vit-large-patch14",
    files={"model.safetensors": None, "config.json": None},
    purpose="describes the portrait",
    licence=NOT_STATED,
    folder="clip-vit-large-patch14",
)


def _echomimic_v2(
    *, denoising_unet: str, motion_module: str, sizes: tuple[int | None, int | None]
) -> Download:
    """Its two variants differ in two files."""
    return Download(
        repository="BadToBest/EchoMimicV2",
        files={
            denoising_unet: sizes[0],
            motion_module: sizes[1],
            "reference_unet.pth": 1630 * _MB,
            "pose_encoder.pth": 1700 * _MB,
        },
        purpose="the model",
        licence=f"{NOT_STATED} (code: Apache-2.0)",
    )


OFFERS: Mapping[str, Offer] = {
    "echomimic-v2": Offer(
        kind="echomimic-v2",
        purpose="half body that speaks and gestures",
        network=_echomimic_v2(
            denoising_unet="denoising_unet.pth",
            motion_module="motion_module.pth",
            sizes=(1700 * _MB, 909 * _MB),
        ),
        vae=_VAE,
        audio_encoder=_WHISPER,
        beside=(_DWPOSE,),
    ),
    "echomimic-v2-acc": Offer(
        kind="echomimic-v2",
        purpose="half body that speaks and gestures, in 6 steps",
        network=_echomimic_v2(
            denoising_unet="denoising_unet_acc.pth",
            motion_module="motion_module_acc.pth",
            sizes=(None, None),
        ),
        vae=_VAE,
        audio_encoder=_WHISPER,
        beside=(_DWPOSE,),
        accelerated=True,
    ),
    "hallo": Offer(
        kind="hallo",
        purpose="talking head",
        network=Download(
            repository="fudan-generative-ai/hallo",
            files={"hallo/net.pth": None},
            purpose="the model",
            licence="MIT",
        ),
        vae=_VAE,
        audio_encoder=_WAV2VEC,
        beside=(_DWPOSE, _FACE_IDENTITY),
    ),
    "animate-anyone": Offer(
        kind="animate-anyone",
        purpose="whole body that follows a video",
        network=Download(
            repository="patrolli/AnimateAnyone",
            files={
                "denoising_unet.pth": 3440 * _MB,
                "motion_module.pth": 1820 * _MB,
                "reference_unet.pth": 3440 * _MB,
                "pose_guider.pth": 4350 * _KB,
            },
            purpose="the model",
            licence="Apache-2.0",
        ),
        vae=_VAE,
        beside=(_DWPOSE, _CLIP),
    ),
}


def converted_path(name: str, folder: Path) -> Path:
    """Where the converted file of a model goes."""
    return folder / f"{name}.safetensors"


def raw_folder(name: str, folder: Path) -> Path:
    """Where its raw files lie in the meantime."""
    return folder / f"{name}.download"


def is_there(name: str, folder: Path) -> bool:
    """Whether a model with all that is used beside it lies in a folder; nothing is opened."""
    beside = (path for each in OFFERS[name].beside for path in each.placed(folder))
    return all(path.exists() for path in (converted_path(name, folder), *beside))
