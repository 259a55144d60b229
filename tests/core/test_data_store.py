"""The prepared-video store: what is written comes back, and damage is said in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cyberhost_core.data.store import PreparedVideos, StoreError
from cyberhost_core.errors import ConfigError
from cyberhost_core.systems.spec import SystemSpec


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
    assert (store.index.height, store.index.width, store.index.fps) == (32, 24, 25.0)
    for number, found in enumerate(store):
        written = make_video(small_spec, seed=number)
        assert len(found) == len(written) == 24
        for name, value in vars(written).items():
            if name not in {"pose", "hands"}:
                assert np.array_equal(getattr(found, name), value), name
                assert getattr(found, name).dtype == value.dtype, name
        assert np.array_equal(found.pose.packed_FKC(), written.pose.packed_FKC())
        for name, value in vars(written.hands).items():
            if name != "source":
                assert np.array_equal(getattr(found.hands, name), value), name
        assert (found.pose.height, found.pose.width) == (32, 24)


def test_videos_keep_the_order_of_the_index(small_spec: SystemSpec, make_store: Callable) -> None:
    store = make_store(small_spec, videos=3)
    path = store.folder / "index.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, "ids": told["ids"][::-1]}), encoding="utf-8")
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


@pytest.mark.parametrize(
    "change", [{"format": "cyberhost-store-9"}, {"colour": "blue"}, {"fps": "fast"}, {"ids": None}]
)
def test_an_index_of_another_kind_is_refused(
    change: dict[str, object], small_spec: SystemSpec, make_store: Callable
) -> None:
    store = make_store(small_spec, videos=1)
    path = store.folder / "index.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, **change}), encoding="utf-8")
    assert next(iter(change)) in refused(lambda: PreparedVideos(store.folder), ConfigError)
