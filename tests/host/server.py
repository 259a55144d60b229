"""A real ComfyUI for the host tests: found, started on a folder of its own, asked things, stopped.

checkout (only read) + folder of its own {custom_nodes/cyberhost -> this repository, models, input, ...}
    -> Server (the process, its log) -> Client (what a browser would ask it)
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
VERSIONS = ("newest", "floor")
START_SECS = 300  # a cold disk and two busy cores
RUN_SECS = 240
POLL_SECS = 0.1


class ServerError(RuntimeError):
    """The server did not start, or did not answer."""


class RunError(RuntimeError):
    """A prompt was refused, or a node raised; the text is what the user reads."""


class Interrupted(RuntimeError):
    """The run ended because it was cancelled."""


@dataclass(frozen=True)
class Checkout:
    """A ComfyUI folder with its own Python beside the sources."""

    version: str
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def missing(self) -> str | None:
        """Say what keeps this checkout from being used; None when nothing does."""
        for needed in (self.folder / "main.py", self.python):
            if not needed.exists():
                return f"no ComfyUI ({self.version}) to test with: {needed} is missing"
        return None


def checkout(version: str) -> Checkout:
    """Find a checkout: the newest at COMFYUI_PATH or ~/ComfyUI, the floor beside it, named "...-floor"."""
    newest = Path(os.environ.get("COMFYUI_PATH", Path.home() / "ComfyUI")).expanduser()
    return Checkout(version, newest if version == "newest" else newest.with_name(f"{newest.name}-floor"))


class Server:
    """Run one ComfyUI on a folder of its own; use it as a context manager.

    arguments: further command line arguments, such as "--lowvram"
    """

    def __init__(self, found: Checkout, folder: Path, *, arguments: tuple[str, ...] = ()) -> None:
        self.checkout, self.folder, self.arguments = found, folder, arguments
        self.log = folder / "server.log"
        self.port = _free_port()
        for name in ("custom_nodes", "models", "input", "output", "temp", "user"):
            (folder / name).mkdir(parents=True)
        (folder / "custom_nodes" / "cyberhost").symlink_to(REPOSITORY, target_is_directory=True)

    def __enter__(self) -> "Client":
        command = [
            *(str(self.checkout.python), "main.py", "--cpu", "--port", str(self.port)),
            *("--base-directory", str(self.folder), "--database-url", f"sqlite:///{self.folder}/comfyui.db"),
            *("--disable-auto-launch", "--disable-api-nodes", "--preview-method", "latent2rgb"),
            *self.arguments,
        ]
        # the checkout stays as it is (no byte code), and nothing is looked up on the network
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self.checkout.folder, stdout=log, stderr=subprocess.STDOUT, env=environment
            )
        client = Client(self)
        try:
            self._wait_until_it_answers(client)
        except BaseException:
            self.stop()
            raise
        return client

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the process; the log stays."""
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def import_secs(self) -> float:
        """How long importing the pack took, by ComfyUI's own report.

        Raises:   ServerError: the report does not name the pack
        """
        found = re.search(r"([\d.]+) seconds: \S*custom_nodes/cyberhost\s", self.log_text())
        if found is None:
            raise ServerError(f"The log {self.log} names no import time for the pack.")
        return float(found[1])

    def memory_mb(self) -> float:
        """The most memory that the server has held so far, in MiB (Linux only)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    def _wait_until_it_answers(self, client: "Client") -> None:
        until = time.monotonic() + START_SECS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                client.get("/system_stats")
            except OSError:
                time.sleep(0.5)
            else:
                return
        raise ServerError(
            f"ComfyUI at {self.checkout.folder} did not start (exit status {self._process.poll()}):\n"
            + self.log_text()[-6000:]
        )


class Client:
    """Ask a running server what a browser would ask it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.version = server.checkout.version
        self.address = f"http://127.0.0.1:{server.port}"

    def get(self, path: str) -> Any:
        """Get a path; JSON comes parsed, anything else as bytes."""
        return self._answer(urllib.request.Request(self.address + path))

    def post(self, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        return self._answer(
            urllib.request.Request(self.address + path, json.dumps(body).encode(), headers, method="POST")
        )

    def object_info(self) -> dict[str, dict]:
        """Everything that the server says about its nodes, by node id."""
        return self.get("/object_info")

    def upload(self, path: Path) -> str:
        """Put a picture, a sound or a video into the input folder, as the upload button does."""
        mark = uuid.uuid4().hex
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n'
            f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{path.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + path.read_bytes() + f"\r\n--{mark}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        return self._answer(
            urllib.request.Request(f"{self.address}/upload/image", body, headers, method="POST")
        )["name"]

    def add_model(self, folder: str, source: Path) -> str:
        """Put a weights file into models/<folder> and give its name."""
        target = self.server.folder / "models" / folder / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        return target.name

    def start(self, prompt: dict[str, dict], *, client_id: str = "") -> str:
        """Queue a prompt and give its id; events go to the web socket of that client_id.

        Raises:   RunError: the server refuses the prompt
        """
        try:
            return self.post("/prompt", {"prompt": prompt, "client_id": client_id})["prompt_id"]
        except urllib.error.HTTPError as refusal:
            raise RunError(_refusal(json.loads(refusal.read()))) from None

    def wait(self, prompt_id: str, *, seconds: float = RUN_SECS) -> dict[str, dict]:
        """Wait for the end of a run and give what the output nodes showed, by node id.

        Raises:   RunError: a node raised, or the run takes too long; Interrupted: it was cancelled
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry and entry.get("status"):
                _raise_failure(dict(entry["status"]["messages"]))
                return entry["outputs"]
            time.sleep(POLL_SECS)
        self.interrupt()
        raise RunError(f"The run took longer than {seconds} s; the server's log ends:\n{self._log_end()}")

    def run(self, prompt: dict[str, dict], *, seconds: float = RUN_SECS) -> dict[str, dict]:
        """Run a prompt to its end."""
        return self.wait(self.start(prompt), seconds=seconds)

    def interrupt(self) -> None:
        """Press Cancel."""
        self.post("/interrupt", {})

    def files(self, outputs: dict[str, dict]) -> list[Path]:
        """List the files that a run's output nodes showed."""
        shown = [entry for ui in outputs.values() for values in ui.values() for entry in values]
        return [
            self.server.folder / entry["type"] / entry["subfolder"] / entry["filename"]
            for entry in shown
            if isinstance(entry, dict) and "filename" in entry
        ]

    def _answer(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=60) as response:
            content = response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
        return json.loads(content) if is_json and content else content

    def _log_end(self) -> str:
        return self.server.log_text()[-3000:]


def _raise_failure(messages: dict[str, dict]) -> None:
    if failure := messages.get("execution_error"):
        raise RunError(f"{failure['node_type']}: {failure['exception_message'].strip()}")
    if "execution_interrupted" in messages:
        raise Interrupted(f"cancelled in {messages['execution_interrupted']['node_type']}")


def _refusal(answer: dict) -> str:
    lines = [f"{answer['error']['message']} {answer['error'].get('details', '')}".strip()]
    for failed in answer.get("node_errors", {}).values():
        lines += [f"{failed['class_type']}: {x['message']}: {x['details']}" for x in failed["errors"]]
    return "\n".join(lines)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
