"""A hub on this machine: as much of the Hugging Face hub's HTTP as fetching a model takes, and its accidents.

SmallHub          serves repositories out of a dictionary and writes down what it was asked
imitations        the repositories of the catalogue, with files of the real layout at a tenth of the width
"""

import hashlib
import json
import re
import threading
from collections import Counter, defaultdict
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import unquote, urlsplit

from cyberhost_core.checkpoints.catalogue import OFFERS

from ..host.public_weights import write_autoencoder, write_downloads, write_wav2vec2, write_whisper

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEXT = (".json",)  # what the hub keeps outside of LFS, without a sha256
Files = dict[str, bytes]

_MODEL = re.compile(r"/api/models/([\w.-]+/[\w.-]+)")
_FILE = re.compile(rf"/([\w.-]+/[\w.-]+)/resolve/{COMMIT}/(.+)")


class SmallHub:
    """A server in a thread.

    asked: method and path of every request; sent: bytes of each file that left; ranges: what was asked of it
    cuts: file -> after how many bytes the line breaks, once per number; 0: before the answer
    damaged: files that are sent with one wrong byte; gated: repositories that want a token
    status: if it is not 0, every answer is a web page with this status
    """

    def __init__(self, repositories: dict[str, Files]) -> None:
        self.repositories = repositories
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        self.sent: Counter[str] = Counter()
        self.ranges: defaultdict[str, list[str | None]] = defaultdict(list)
        self.cuts: defaultdict[str, list[int]] = defaultdict(list)
        self.damaged: set[str] = set()
        self.gated: set[str] = set()
        self.status = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Bound", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: SmallHub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"GET {path}")
        self.hub.tokens.add(self.headers.get("Authorization"))
        if self.hub.status:
            self._answer(self.hub.status, b"<html>Not the hub speaks here</html>")
        elif found := _MODEL.fullmatch(path) or _FILE.fullmatch(path):
            self._allowed(*found.groups())
        else:
            self._answer(404)

    def _allowed(self, repository: str, name: str | None = None) -> None:
        files = self.hub.repositories.get(repository)
        if files is None:
            self._answer(401, error="RepoNotFound")
        elif repository in self.hub.gated and not self.headers.get("Authorization"):
            self._answer(401, error="GatedRepo")
        elif name is None:
            self._answer(200, json.dumps(_described(repository, files)).encode())
        elif name not in files:
            self._answer(404, error="EntryNotFound")
        else:
            self._send_file(name, files[name])

    def _send_file(self, name: str, content: bytes) -> None:
        asked = self.headers.get("Range")
        self.hub.ranges[name].append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if name in self.hub.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        cut = self.hub.cuts[name].pop(0) if self.hub.cuts[name] else None
        if cut != 0:
            self.send_response(206 if asked else 200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(content) - start))
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            with suppress(ConnectionError):  # who asked has stopped listening
                self.wfile.write(content[start:] if cut is None else content[start : start + cut])
            self.hub.sent[name] += len(content) - start if cut is None else cut
        self.close_connection = True

    def _answer(self, status: int, body: bytes = b"", *, error: str = "") -> None:
        self.send_response(status)
        if error:
            self.send_header("X-Error-Code", error)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests read what the command itself says."""


def _described(repository: str, files: Files) -> dict[str, Any]:
    def sibling(name: str, content: bytes) -> dict[str, Any]:
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        told = {"rfilename": name, "size": len(content), "blobId": blob}
        if name.endswith(TEXT):
            return told
        sha256 = hashlib.sha256(content).hexdigest()
        return {**told, "lfs": {"sha256": sha256, "size": len(content), "pointerSize": 134}}

    return {"id": repository, "sha": COMMIT, "siblings": [sibling(*item) for item in files.items()]}


@cache
def imitations() -> dict[str, Files]:
    """Write what the catalogue names, repository by repository."""
    folder = Path(mkdtemp(prefix="hub-"))
    written = {
        "stabilityai/sd-vae-ft-mse-original": write_autoencoder(folder / "vae"),
        "openai/whisper-tiny": write_whisper(folder / "whisper"),
        "facebook/wav2vec2-base-960h": write_wav2vec2(folder / "wav2vec"),
    }
    (folder / "wav2vec" / "preprocessor_config.json").write_text('{"do_normalize": true}', encoding="utf-8")
    (vae,) = (folder / "vae").glob("*.safetensors")
    vae.rename(vae.with_name("vae-ft-mse-840000-ema-pruned.safetensors"))
    for offer in OFFERS.values():
        if offer.network.repository not in written:
            written[offer.network.repository] = write_downloads(offer.kind, folder / offer.kind)
    repositories: defaultdict[str, Files] = defaultdict(dict)
    for download in (each for offer in OFFERS.values() for each in offer.downloads):
        for name in download.files:
            file = written.get(download.repository, folder) / Path(name).name.replace("_acc.", ".")
            used_as_it_is = f"{name} is used as it is. ".encode() * 1000
            content = file.read_bytes() if file.is_file() else used_as_it_is
            repositories[download.repository][name] = content
    return dict(repositories)
