"""Rendered puppets become a store of one size, with scores of the pictures as they were drawn."""

from pathlib import Path

import numpy as np
import torch

from cyberhost_core import bundled
from cyberhost_core.backbone.vae import TinyVAE, TinyVAEConfig
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.controls.hand_clarity import hand_clarity
from cyberhost_core.data.calibration import calibrate
from cyberhost_core.data.encode import Encoder
from cyberhost_core.data.store import PreparedVideos
from cyberhost_core.perception.face_identity import FaceIdentity
from cyberhost_core.perception.pose import PoseDetector
from cyberhost_core.puppets import clips
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.systems.cyberhost import tiny
from cyberhost_core.training.batches import BatchMaker, SamplingConfig


class Loudness:
    """Hears one number in every 20 ms."""

    size = 1

    def extract(self, wave_T) -> torch.Tensor:
        steps = np.asarray(wave_T)[: len(wave_T) // 320 * 320].reshape(-1, 320)
        return torch.from_numpy(steps.std(axis=1, keepdims=True))


def test_rendered_clips_become_what_the_tiny_system_is_trained_on(tmp_path: Path, monkeypatch) -> None:
    voice = bundled_utterances("train")[0]
    monkeypatch.setattr(clips, "synthesize", lambda _number, split: voice)  # noqa: ARG005 - espeak-ng speaks
    clips.render_clips(tmp_path / "clips", range(2), split="train", frames=13, say=lambda _done, _total: None)
    torch.manual_seed(0)
    vae = TinyVAE(TinyVAEConfig()).eval()
    clips.prepare_store(
        tmp_path / "clips",
        tmp_path / "store",
        encoder=Encoder(vae, FaceIdentity(bundled.require(bundled.FACE_NETWORK))),
        speech=Loudness(),
        detector=PoseDetector(bundled.require(bundled.POSE_NETWORK)),
        say=lambda _done, _total: None,
    )
    store = PreparedVideos(tmp_path / "store")
    assert [bucket.size for bucket in store.index.buckets] == [(128, 96)]
    for path, video in zip(clips.clip_files(tmp_path / "clips"), store, strict=True):
        drawn = clips.read_clip(path)
        assert np.array_equal(video.clarity_F4, hand_clarity(drawn.frames_FYXC, drawn.pose))
        assert video.reference_R.tolist() == [0, 12], "every frame of a puppet shows its face"
    spec = tiny().changing(Sound, lambda sound: sound.derive(feature_dim=1))
    batch = BatchMaker(store, spec, SamplingConfig(clips=2), frames=9, seed=0)[0]
    assert torch.isfinite(batch.latents).all() and batch.latents.shape[:2] == (2, 9)
    assert calibrate(store).untold == ()
