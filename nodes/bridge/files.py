"""Where results go and user files come from, in ComfyUI's own folders."""

from dataclasses import dataclass
from pathlib import Path, PurePath

import folder_paths

from ...cyberhost_core.errors import ConfigError
from .api import io, ui

RESULTS = "cyberhost"  # the folder below ComfyUI's output folder whose files are offered again
_FROM_OUTPUT = " [output]"  # ComfyUI's own note on where a chosen file lies


@dataclass(frozen=True)
class NewFile:
    """A file to be written: its path, and how the browser asks for it."""

    path: Path
    shown: ui.SavedResult


def in_output(filename_prefix: str, suffix: str) -> NewFile:
    """Number a new file in the output folder, as ComfyUI's own save nodes do.

    Raises:   ConfigError: the prefix leads out of the folder
    """
    return _new_file(
        filename_prefix, suffix, base=folder_paths.get_output_directory(), kind=io.FolderType.output
    )


def in_temp(filename_prefix: str, suffix: str) -> NewFile:
    """Number a new file in the folder that ComfyUI empties when it starts.

    Raises:   ConfigError: the prefix leads out of the folder
    """
    return _new_file(filename_prefix, suffix, base=folder_paths.get_temp_directory(), kind=io.FolderType.temp)


def offered(*suffixes: str) -> list[str]:
    """List files of some kinds: those in the input folder, then those that this pack wrote."""
    given, saved = (
        sorted(path.name for path in folder.glob("*") if path.suffix in suffixes)
        for folder in (
            Path(folder_paths.get_input_directory()),
            Path(folder_paths.get_output_directory()) / RESULTS,
        )
    )
    return [*given, *(f"{RESULTS}/{name}{_FROM_OUTPUT}" for name in saved)]


def offered_path(name: str) -> Path:
    """Find a file that was offered; it may be gone by now.

    Raises:   ConfigError: the name leads out of ComfyUI's folders
    """
    if ".." in PurePath(name).parts or PurePath(name).is_absolute():
        raise ConfigError(
            f"The file '{name}' lies outside of ComfyUI's folders, but one in its input folder was expected; "
            "put the file there."
        )
    return Path(folder_paths.get_annotated_filepath(name))


def _new_file(filename_prefix: str, suffix: str, *, base: str, kind: io.FolderType) -> NewFile:
    prefix = PurePath(filename_prefix.replace("\\", "/"))
    if not prefix.name or prefix.is_absolute() or ".." in prefix.parts:
        raise ConfigError(
            f"The file name '{filename_prefix}' leads out of ComfyUI's {kind.value} folder, but a name in "
            "it was expected; give one like cyberhost/video."
        )
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(str(prefix), base)
    filename = f"{name}_{counter:05}_{suffix}"
    return NewFile(Path(folder) / filename, ui.SavedResult(filename, subfolder, kind))
