"""A public model in one step: fetched, checked, converted, opened, and what is no longer needed removed.

FOLDER/NAME.download/     raw files and halves of them; gone at the end, unless they are to be kept
FOLDER/NAME.safetensors   the converted file: written among the raw ones, moved here once it opens
FOLDER/...                files that are used as they are
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import FetchError
from . import peers
from .catalogue import OFFERS, Download, Offer, converted_path, raw_folder
from .file import open_checkpoint
from .hub import HubFile, OnProgress, get, look_up

_GIGABYTE = 10**9


def fetch(
    name: str,
    folder: Path,
    *,
    keep_raw: bool = False,
    on_progress: OnProgress = lambda _stage, _done, _total: None,
) -> list[Path]:
    """Fetch and convert a model of the catalogue; whatever of it is there already is left as it is.

    on_progress is told a stage and its bytes; it may raise, to stop.

    Returns the converted file, and those used beside it.

    Raises:   FetchError: no access, no line, not enough room, or a file that is not the one announced
              CheckpointError, UnaccountedWeightsError: the files are no such model; they are kept
              MissingExtraError: huggingface_hub is not installed
    """
    offer, out, raw = OFFERS[name], converted_path(name, folder), raw_folder(name, folder)
    converts = not out.exists()
    if not converts:
        _require_usable(out, offer)
    beside = [each for each in offer.beside if not all(path.exists() for path in each.placed(folder))]
    wanted = [*(offer.converted if converts else ()), *beside]
    if wanted:
        # all before the first byte: no access to the last of them is known at once
        files = [file for download in wanted for file in look_up(download)]
        _require_room(files, folder, raw=raw, offer=offer)
        for file in files:
            get(file, raw, on_progress=on_progress)
        if converts:
            _convert(offer, files, out, raw=raw, on_progress=on_progress)
        _place([file for file in files if file.download in beside], folder, raw=raw)
        if not keep_raw:
            shutil.rmtree(raw)
    return [out, *(path for each in offer.beside for path in each.placed(folder))]


def _convert(
    offer: Offer, files: Sequence[HubFile], out: Path, *, raw: Path, on_progress: OnProgress
) -> None:
    def paths(download: Download) -> list[Path]:
        return [file.whole(raw) for file in files if file.download is download]

    made = raw / out.name
    peers.convert_peer(
        offer.kind,
        paths(offer.network),
        made,
        config=peers.PUBLISHED.derive(accelerated=offer.accelerated),
        vae=paths(offer.vae)[0],
        audio_encoder=paths(offer.audio_encoder)[0] if offer.audio_encoder else None,
        on_bytes=lambda done, total: on_progress("converting", done, total),
    )
    open_checkpoint(made)  # before its sources are removed
    made.replace(out)


def _require_usable(path: Path, offer: Offer) -> None:
    """Open a converted file of an earlier time.

    Raises:   CheckpointError: it cannot be opened; FetchError: it holds another system
    """
    found = open_checkpoint(path).spec.name
    if found != offer.system:
        raise FetchError(
            f"{path} is there and holds {found}, where {offer.system} was to be put; move it, or give "
            "another folder with --to."
        )


def _place(files: Iterable[HubFile], folder: Path, *, raw: Path) -> None:
    for file in files:
        place = folder / file.download.folder / file.short_name
        place.parent.mkdir(exist_ok=True)
        file.whole(raw).replace(place)


def _require_room(files: Sequence[HubFile], folder: Path, *, raw: Path, offer: Offer) -> None:
    """Compare with the disk: what is converted lies there twice until it is done.

    Raises:   FetchError: it does not fit
    """
    times = [2 if file.download in offer.converted else 1 for file in files]
    needed = sum(file.size * count for file, count in zip(files, times, strict=True))
    needed -= sum(file.bytes_in(raw) for file in files)
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise FetchError(
            f"Raw and converted files take {needed / _GIGABYTE:,.1f} GB more, {there} has "
            f"{free / _GIGABYTE:,.1f} GB free; make room, or give a folder on another disk with --to."
        )
