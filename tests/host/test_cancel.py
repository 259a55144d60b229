"""Cancel at any stage: the node at work hears it within one unit, leaves no file, and the next run works.

    audio features   20 s of sound      sampler           one step
    DWPose           8 pictures, then one skeleton drawn    Decode to Video   16 frames
    Skeleton Map     8 frames

ReferenceNet reads one picture in one go, in less than a step's time: there is nothing to cancel within.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .events import Events
from .prompts import Prompt, heard, node, portrait, segment
from .server import Client, Interrupted
from .sounds import noise

pytestmark = pytest.mark.host

SOON_SECS = 10  # one unit takes a tenth of a second on an idle machine
LONG_SOUND_SECS = 1800  # heard in 8 s
AT_WORK_SECS = 0.3  # after which a node that tells no progress has begun
PICTURES, WIDTH, HEIGHT = 64, 480, 640  # drawn in 1.7 s

Event = tuple[str, dict]


def cancelled(host: Client, prompt: Prompt, *, node_id: str, when: Callable[[Event], bool]) -> int:
    """Press Cancel at an event; give the number of progress reports that the node still makes after it.

    The run must end soon, and in that very node: a deaf one would finish, and the next one would be named.
    """
    after, pressed_at = 0, 0.0
    with Events(host) as events:
        prompt_id = host.start(prompt, client_id=events.client_id)
        for kind, data in events:
            about_node = isinstance(data, dict) and data.get("node") == node_id
            after += bool(pressed_at) and about_node and kind == "progress"
            if not pressed_at and about_node and when((kind, data)):
                host.interrupt()
                pressed_at = time.monotonic()
            if kind in ("execution_interrupted", "execution_success", "execution_error"):
                break
    with pytest.raises(Interrupted, match=f"cancelled in {prompt[node_id]['class_type']}$"):
        host.wait(prompt_id)
    assert time.monotonic() - pressed_at < SOON_SECS
    return after


def reported(share: float) -> Callable[[Event], bool]:
    """After this share of the node's work."""
    return lambda event: event[0] == "progress" and event[1]["value"] >= share * event[1]["max"]


def begun(event: Event) -> bool:
    """A moment after the start of a node that reports no progress."""
    if event[0] == "executing":
        time.sleep(AT_WORK_SECS)
    return event[0] == "executing"


def files(host: Client) -> set[Path]:
    folders = (host.server.folder / "temp", host.server.folder / "output")
    return {path for folder in folders for path in folder.rglob("*") if path.suffix in (".mp4", ".latent")}


def works(host: Client, prompt: Prompt) -> None:
    assert host.run(prompt)


def test_the_sampler_stops_within_one_step(host: Client) -> None:
    prompt = segment(noise=node("RandomNoise", noise_seed=78))
    prompt["sigmas"]["inputs"]["steps"] = 60
    prompt["save"] = node("SaveLatent", samples=["sample", 0], filename_prefix="cancelled")
    before = files(host)
    assert cancelled(host, prompt, node_id="sample", when=reported(2 / 120)) <= 1
    assert files(host) == before
    prompt["sigmas"]["inputs"]["steps"] = 1
    works(host, prompt)


def test_hearing_a_long_sound_stops_within_one_piece(host: Client, tmp_path: Path) -> None:
    sound = node("LoadAudio", audio=host.upload(noise(tmp_path / "long.wav", seconds=LONG_SOUND_SECS)))
    prompt = heard(["sound", 0], sound=sound, show=node("PreviewAny", source=["features", 1]))
    cancelled(host, prompt, node_id="features", when=begun)
    prompt["sound"] = node("CyberHostExample", portrait="puppet_0.png", voice="train_08.ogg")
    prompt["features"]["inputs"]["audio"] = ["sound", 1]
    works(host, prompt)


def many_pictures(**further: dict) -> Prompt:
    """The bundled portrait, large, many times over, and its poses."""
    large = node(
        "ImageScale", image=["example", 0], upscale_method="area", width=WIDTH, height=HEIGHT, crop="disabled"
    )
    prompt = portrait(
        large=large,
        many=node("RepeatImageBatch", image=["large", 0], amount=PICTURES),
        **further,
    )
    prompt["detect"]["inputs"]["image"] = ["many", 0]
    return prompt


@pytest.mark.parametrize("share", [0.2, 1.0], ids=["while it looks", "while it draws"])
def test_detecting_many_poses_stops_within_a_few_pictures(host: Client, share: float) -> None:
    prompt = many_pictures(show=node("PreviewAny", source=["detect", 0]))
    assert cancelled(host, prompt, node_id="detect", when=reported(share)) <= 1
    prompt["many"]["inputs"]["amount"] = 1
    works(host, prompt)


def test_drawing_many_skeletons_stops_within_a_few_frames(host: Client) -> None:
    prompt = many_pictures(
        map=node("CyberHostSkeletonMap", pose=["detect", 0], parts="whole body"),
        show=node("PreviewAny", source=["map", 0]),
    )
    assert cancelled(host, prompt, node_id="map", when=reported(0.2)) <= 1
    prompt["many"]["inputs"]["amount"] = 1
    works(host, prompt)


def test_decoding_stops_within_one_chunk_and_leaves_no_file(host: Client, tmp_path: Path) -> None:
    """Of the empty latents that CyberHost Conditions gives, a minute is there without sampling."""
    voice = node("LoadAudio", audio=host.upload(noise(tmp_path / "minute.wav", seconds=60)))
    prompt = segment(
        voice=voice,
        video=node(
            "CyberHostDecodeVideo",
            latent=["conditions", 3],
            vae=["load", 2],
            fps=["features", 2],
            audio=["voice", 0],
            filename_prefix="cancelled/video",
        ),
        save=node("SaveVideo", video=["video", 0], filename_prefix="cancelled", format="auto", codec="auto"),
    )
    before = files(host)
    assert cancelled(host, prompt, node_id="video", when=reported(0.02)) <= 1
    assert files(host) == before
    prompt["cut"] = node("TrimAudioDuration", audio=["voice", 0], start_index=0.0, duration=0.48)
    prompt["features"]["inputs"]["audio"] = ["cut", 0]
    works(host, prompt)
    assert len(files(host) - before) == 2  # decoded, and saved
