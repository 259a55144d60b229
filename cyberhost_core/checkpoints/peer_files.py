"""Which part of a public model is a file? Told by the names in its header, because file names are anybody's.

denoising_unet.pth, reference_unet.pth, motion_module.pth, pose_encoder.pth     one part each, bare names
net.pth                                            everything, each name begins with that of its part
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError
from .motion_names import without_wrapper
from .sources import Source

DENOISER, REFERENCE, MAPS = "denoising_unet.", "reference_unet.", "pose_encoder."
PARTS = {  # prefixes in their files -> in ours
    DENOISER: "denoiser.",
    REFERENCE: "reference_net.",
    MAPS: "movement_encoder.",
    "pose_guider.": "movement_encoder.",
    "face_locator.": "movement_encoder.",
    "imageproj.": "image_projection.",
    "audioproj.": "audio_projection.",
}
_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
_ACCELERATED = "_acc"  # ends the names of EchoMimicV2's files for few steps


@dataclass(frozen=True)
class PartFile:
    """One file; part is the prefix that its bare names lack, or empty where names begin with their part's."""

    source: Source
    part: str
    only_motion: bool

    def names_in(self, part: str) -> list[str]:
        """Names of one part, without its prefix."""
        names = [self.part + without_wrapper(name) for name in self.source.tensors]
        return [name.removeprefix(part) for name in names if name.startswith(part)]


def find_parts(paths: Iterable[Path], *, accelerated: bool, advice: str) -> tuple[list[PartFile], list[str]]:
    """Open the files of a model; in a folder, those of its files that are parts of one.

    Motion modules come first: what a denoiser's own file says of them counts more. Also returns the names of
    files that were left alone.

    Raises:   CheckpointError: nothing usable, or two files for one part; advice says what to give
    """
    paths, parts, left_alone = list(paths), [], []
    for path in paths:
        for file in _files_in(path, accelerated=accelerated) if path.is_dir() else [path]:
            part = _recognise(Source(file))
            if part:
                parts.append(part)
            elif path.is_dir():
                left_alone.append(file.name)
            else:
                raise CheckpointError(f"{file} is no part of such a model; {advice}.")
    if not parts:
        raise CheckpointError(f"No weights were found in {', '.join(map(str, paths))}; {advice}.")
    _require_one_each(parts, advice)
    return sorted(parts, key=lambda part: not part.only_motion), left_alone


def recognised_kind(parts: Iterable[PartFile]) -> str:
    """Tell which public model some files make up; an empty string if they do not say."""
    parts = list(parts)
    denoiser = [name for part in parts for name in part.names_in(DENOISER)]
    reference = [name for part in parts for name in part.names_in(REFERENCE)]
    if any(".audio_modules." in name for name in denoiser):
        return "hallo"
    if not any(".attentions." in name for name in denoiser) or not reference:
        return ""
    return "animate-anyone" if any(".attn2." in name for name in reference) else "echomimic-v2"


def _files_in(folder: Path, *, accelerated: bool) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.suffix in _SUFFIXES)
    fast = {file.stem.removesuffix(_ACCELERATED) for file in files if file.stem.endswith(_ACCELERATED)}
    if not accelerated:
        return [file for file in files if not file.stem.endswith(_ACCELERATED)]
    if not fast:
        raise CheckpointError(
            f"There is no accelerated file (*{_ACCELERATED}.pth) in {folder}; "
            "leave out --accelerated, or download those files as well."
        )
    return [file for file in files if file.stem not in fast]


def _recognise(source: Source) -> PartFile | None:
    names = {without_wrapper(name) for name in source.tensors}
    blocks = any(name.startswith("down_blocks.") for name in names)
    begins = "conv_in.weight" in names
    if any(name.startswith(tuple(PARTS)) for name in names):
        return PartFile(source, "", only_motion=False)
    if begins and "blocks.0.weight" in names:
        return PartFile(source, MAPS, only_motion=False)
    if begins and blocks:
        return PartFile(source, DENOISER if "conv_out.weight" in names else REFERENCE, only_motion=False)
    if blocks and any(".motion_modules." in name for name in names):
        return PartFile(source, DENOISER, only_motion=True)
    return None


def _require_one_each(parts: list[PartFile], advice: str) -> None:
    seen: dict[tuple[str, bool], Path] = {}
    for part in parts:
        before = seen.setdefault((part.part, part.only_motion), part.source.path)
        if before != part.source.path:
            raise CheckpointError(
                f"{before.name} and {part.source.path.name} hold the same part of the model; {advice}."
            )
