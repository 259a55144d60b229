"""Get files from the Hugging Face hub: whole, checked, and from where a broken line left off.

    what the hub says of a file -> in its cache? -> NAME.HASH.part, grows -> hash -> NAME

huggingface_hub does the talking: HF_ENDPOINT, HF_TOKEN, proxies and its cache count as everywhere. Of its own
ways to store a file none is used, because its newer releases throw a half fetched one away.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from json import JSONDecodeError
from pathlib import Path

from ..errors import FetchError, require_extra
from .catalogue import Download

OnProgress = Callable[[str, int, int], None]  # stage, bytes done, bytes in all

_AT_ONCE = 16 << 20  # bytes of a file that are hashed between two looks at Ctrl-C
_NAMED = 12  # characters of a hash that tell one version of a file from another
_THEIR_BARS = "huggingface_hub.http_get"


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """Say what the hub says of a file.

    Units:    size: bytes; digest: sha256 of a large file, and of a small one, which git holds, git's own hash
    """

    download: Download
    name: str
    commit: str
    size: int
    is_large: bool
    digest: str

    @property
    def short_name(self) -> str:
        return Path(self.name).name

    def part(self, folder: Path) -> Path:
        """Where it lies until it is whole."""
        whole = self.whole(folder)
        return whole.with_name(f"{whole.name}.{self.digest[:_NAMED]}.part")

    def whole(self, folder: Path) -> Path:
        return folder / self.download.repository.replace("/", "--") / self.name

    def bytes_in(self, folder: Path) -> int:
        """How much of it is there already."""
        for path in (self.whole(folder), self.part(folder)):
            if path.exists():
                return path.stat().st_size
        return 0


def look_up(download: Download) -> list[HubFile]:
    """Ask the hub for sizes and hashes of all files of a download.

    Raises:   FetchError: no such repository or file, no access, or no answer
              MissingExtraError: huggingface_hub is not installed
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise require_extra("huggingface-hub", extra="fetch", purpose="Fetching models") from error
    with _errors_in_one_sentence(download):
        info = HfApi().model_info(download.repository, files_metadata=True)
    told = {each.rfilename: each for each in info.siblings or ()}
    files = []
    for name in download.files:
        each = told.get(name)
        digest = each and (each.lfs.sha256 if each.lfs else each.blob_id)
        if each is None or each.size is None or not digest or info.sha is None:
            raise FetchError(
                f"The hub lists no file {name} with size and hash in {download.repository}; look where it "
                f"went on {download.page}, and convert it with 'cyberhost convert'."
            )
        files.append(
            HubFile(
                download=download,
                name=name,
                commit=info.sha,
                size=each.size,
                is_large=each.lfs is not None,
                digest=digest,
            )
        )
    return files


def get(file: HubFile, folder: Path, *, on_progress: OnProgress) -> None:
    """Get a file; one that is there is kept, and one that is there in part is gone on with.

    on_progress may raise, to stop: what has come is kept.

    Raises:   FetchError: the line broke for good, the disk is full, or the file is not the one announced
    """
    whole, part = file.whole(folder), file.part(folder)
    if whole.exists():
        return
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        _from_cache(file, part)
        if part.exists() and part.stat().st_size > file.size:
            part.unlink()
        with _Part(part, file, on_progress) as target:
            _receive(file, target)
        _require_announced(file, part, on_progress=on_progress)
        part.replace(whole)
    except OSError as error:
        raise unwritable(whole, error) from error


def unwritable(path: Path, error: OSError) -> FetchError:
    """Say that a file cannot be written, and what helps."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FetchError(
            f"The disk is full in the middle of {path.name}; make room in {path.parent} and give the command "
            "again: what was fetched is kept."
        )
    return FetchError(
        f"{path} cannot be written ({error.strerror or error}); a folder that can be written is needed."
    )


class _BrokenLineError(FetchError):
    """The hub cannot be reached, or not any more."""


class _Part(FileIO):
    """A file that grows at its end and says how far it is."""

    def __init__(self, path: Path, file: HubFile, on_progress: OnProgress) -> None:
        super().__init__(path, "ab")
        self._file, self._on_progress = file, on_progress

    def write(self, chunk: bytes, /) -> int:
        rest = memoryview(chunk)
        while rest:  # a file without a buffer may take a part only
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:  # here and not around it all, where a broken line is an OSError, too
                raise unwritable(Path(str(self.name)), error) from error
        self._on_progress(self._file.short_name, self.tell(), self._file.size)
        return len(chunk)


def _from_cache(file: HubFile, part: Path) -> None:
    """Copy what other programs have fetched already; the cache itself is left alone."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(file.download.repository, file.name, revision=file.commit)
    if isinstance(cached, str):
        shutil.copyfile(cached, part)


def _receive(file: HubFile, target: _Part) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(file.download.repository, file.name, revision=file.commit)
    # not compressed: the rest of a file is asked for by the number of its bytes
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    while (start := target.tell()) < file.size:
        try:
            with _errors_in_one_sentence(file.download), _without_their_bars():
                http_get(url, target, resume_size=start, headers=headers, expected_size=file.size)
        except _BrokenLineError:
            # how often huggingface_hub itself tries again depends on its release
            if target.tell() <= start:  # less: a server that sends from the beginning whatever it is asked
                raise


def _require_announced(file: HubFile, part: Path, *, on_progress: OnProgress) -> None:
    """Compare with what the hub said before; what differs is removed.

    Raises:   FetchError: it differs
    """
    # git hashes a head before the file
    digest = hashlib.sha256() if file.is_large else hashlib.sha1(f"blob {file.size}\0".encode())
    done = 0
    with part.open("rb") as stream:
        while chunk := stream.read(_AT_ONCE):
            digest.update(chunk)
            done += len(chunk)
            on_progress(f"checking {file.short_name}", done, file.size)
    if digest.hexdigest() != file.digest:
        part.unlink()
        raise FetchError(
            f"{file.name} of {file.download.repository} has the hash {digest.hexdigest()[:_NAMED]}..., "
            f"{file.digest[:_NAMED]}... was announced; it was removed: give the command again."
        )


@contextmanager
def _without_their_bars() -> Iterator[None]:
    """Keep huggingface_hub from drawing over our own bars."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if are_progress_bars_disabled(_THEIR_BARS):
        yield
        return
    disable_progress_bars(_THEIR_BARS)
    try:
        yield
    finally:
        enable_progress_bars(_THEIR_BARS)


@contextmanager
def _errors_in_one_sentence(download: Download) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:  # first: it is a kind of the next
        raise FetchError(
            f"The authors of {download.repository} give it to those who ask: accept their terms on "
            f"{download.page}, give a token of your account in HF_TOKEN, and try again."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise FetchError(
            f"The hub has no repository {download.repository}, or does not show it to you; look at "
            f"{download.page}: it may have moved, or want a token of your account in HF_TOKEN."
        ) from error
    except errors.HfHubHTTPError as error:
        raise FetchError(
            f"The hub answered {error.response.status_code} when asked for {download.repository}; try again "
            f"later, or look at {download.page}."
        ) from error
    # whichever library speaks HTTP for huggingface_hub, its errors are of this class, or OSErrors;
    # an answer that is no JSON is somebody else's, such as a hotel's page to log in
    except (errors.HTTPError, OSError, JSONDecodeError) as error:  # pyright: ignore[reportPrivateImportUsage]
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise _BrokenLineError(
            f"The line to the hub is broken, or there is none ({reason}); give the command again when there "
            "is: what was fetched is kept."
        ) from error
