"""The prepared-video store: what is written comes back, and damage is said in one sentence."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cyberhost_core.data.encode import REFERENCE_EVERY
from cyberhost_core.data.store import PreparedVideo, PreparedVideos, StoreError, write_video
from cyberhost_core.errors import ConfigError
from cyberhost_core.hands.mixing import absent
from cyberhost_core.systems.spec import SystemSpec
from cyberhost_core.types import PACKED_POINTS, Pose


def refused(look: Callable[[], object], kind: type[Exception] = StoreError) -> str:
    with pytest.raises(kind) as caught:
        look()
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_a_video_comes_back_bit_for_bit(
    small_spec: SystemSpec, make_store: Callable, make_video: Callable
) -> None:
    store = make_store(small_spec, videos=2)
    assert len(store) == 2
    assert [bucket.size for bucket in store.index.buckets] == [(32, 24)]
    assert store.index.fps == 25.0
    for number, found in enumerate(store):
        written = make_video(small_spec, seed=number)
        assert len(found) == len(written) == 24
        for name, value in vars(written).items():
            if name not in {"pose", "hands"}:
                assert np.array_equal(getattr(found, name), value), name
                assert np.asarray(getattr(found, name)).dtype == np.asarray(value).dtype, name
        assert np.array_equal(found.pose.packed_FKC(), written.pose.packed_FKC())
        for name, value in vars(written.hands).items():
            if name != "source":
                assert np.array_equal(getattr(found.hands, name), value), name
        assert (found.pose.height, found.pose.width) == (32, 24)


def test_videos_keep_the_order_of_the_index(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=3)
    path = store.folder / "index.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["buckets"][0]["ids"].reverse()
    path.write_text(json.dumps(told), encoding="utf-8")
    turned = PreparedVideos(store.folder)
    assert np.array_equal(turned[0].latents_FCHW, store[2].latents_FCHW)


def test_a_folder_without_an_index_is_no_store(tmp_path: Path) -> None:
    assert "make them with 'cyberhost prepare'" in refused(lambda: PreparedVideos(tmp_path))


@pytest.mark.parametrize("kept", [0, 4, 0.5, 0.99])
def test_a_truncated_video_is_named(kept: float, small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=1)
    path = store.folder / "videos" / "video-0.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept) if isinstance(kept, float) else kept])
    assert str(path) in refused(lambda: store[0])


def test_a_missing_video_is_named(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=1)
    path = store.folder / "videos" / "video-0.safetensors"
    path.unlink()
    assert str(path) in refused(lambda: store[0])


def test_a_file_that_holds_something_else_is_named(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=1)
    path = store.folder / "videos" / "video-0.safetensors"
    save_file({"weight": np.zeros(3)}, path)
    message = refused(lambda: store[0])
    assert str(path) in message
    assert "weight" in message


def test_videos_of_several_sizes_lie_in_one_store_each_on_its_own_canvas(
    small_spec: SystemSpec, make_store: Callable
) -> None:
    store = make_store(small_spec, videos=2, wide=1)
    assert [(video.pose.height, video.pose.width) for video in store] == [(32, 24), (32, 24), (24, 32)]
    assert [video.latents_FCHW.shape[2:] for video in store] == [(4, 3), (4, 3), (3, 4)]


def test_a_batch_is_drawn_from_one_size_and_sizes_as_often_as_they_have_videos(
    small_spec: SystemSpec, make_store: Callable
) -> None:
    store = make_store(small_spec, videos=3, wide=1, frames=2)
    rng = np.random.default_rng(0)
    sizes = [[video.pose.height for video in store.drawn(rng, count=3)] for _ in range(300)]
    assert all(len(set(batch)) == 1 for batch in sizes)
    assert np.mean([batch[0] == 24 for batch in sizes]) == pytest.approx(1 / 4, abs=0.06)


def test_scores_are_read_without_the_rest_of_a_video(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=1, wide=1)
    for number, whole in enumerate(store):
        scores = store.scores(number)
        assert np.array_equal(scores.pose.packed_FKC(), whole.pose.packed_FKC())
        assert (scores.pose.height, scores.pose.width) == (whole.pose.height, whole.pose.width)
        assert np.array_equal(scores.clarity_F4, whole.clarity_F4)
        assert scores.picture_db == whole.picture_db
    path = store.folder / "videos" / "wide-0.safetensors"
    save_file({"weight": np.zeros(3)}, path)
    assert str(path) in refused(lambda: store.scores(1))


def test_a_store_takes_as_many_bytes_as_the_page_says(small_spec: SystemSpec, tmp_path: Path) -> None:
    """At the paper's size, with every twelfth frame a candidate: what docs/data.md tells of a frame."""
    frames, references = 240, 240 // REFERENCE_EVERY
    nobody = absent(frames, fps=25.0, source="test")
    video = PreparedVideo(
        pose=Pose.from_packed(np.zeros((frames, PACKED_POINTS, 3)), height=640, width=384),
        hand_confidence_FH=np.zeros((frames, 2), np.float32),
        clarity_F4=np.zeros((frames, 4), np.float32),
        picture_db=30.0,
        latents_FCHW=np.zeros((frames, 4, 80, 48), np.float16),
        hands=nobody,
        audio_FD=np.zeros((frames, 10752), np.float16),
        reference_R=np.zeros(references, np.int64),
        hand_crops_RHCYX=np.zeros((references, 2, 3, 128, 128), np.uint8),
        face_vectors_RD=np.zeros((references, 512), np.float32),
    )
    write_video(tmp_path, "a", video)
    kilobytes = (tmp_path / "videos" / "a.safetensors").stat().st_size / frames / 1000
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"([\d.]+) kB per frame", page)
    (hour,) = re.findall(r"([\d.]+) GB per hour", page)
    assert kilobytes == pytest.approx(float(told), abs=0.1)
    assert kilobytes * 25 * 3600 / 1e6 == pytest.approx(float(hour), abs=0.1)


def test_a_store_of_an_earlier_version_is_refused(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=1)
    path = store.folder / "index.json"
    path.write_text('{"format": "cyberhost-store-2", "height": 32, "width": 24, "ids": ["video-0"]}')
    message = refused(lambda: PreparedVideos(store.folder))
    assert "has the format 'cyberhost-store-2', but 'cyberhost-store-3' was expected; prepare" in message
    path.write_text("[]]")
    assert "is no index of a store" in refused(lambda: PreparedVideos(store.folder))


@pytest.mark.parametrize("change", [{"colour": "blue"}, {"fps": "fast"}, {"buckets": []}])
def test_an_index_of_another_kind_is_refused(
    change: dict[str, object], small_spec: SystemSpec, make_store: Callable
) -> None:
    store = make_store(small_spec, videos=1)
    path = store.folder / "index.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, **change}), encoding="utf-8")
    assert next(iter(change)) in refused(lambda: PreparedVideos(store.folder), ConfigError)
