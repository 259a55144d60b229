"""Identity and pixels: pictures of one puppet are alike, pictures of two are not."""

from collections.abc import Sequence

import numpy as np
import pytest

from cyberhost_core.metrics.identity import Likeness, colour_histogram, likeness, looks, own_is_nearest
from cyberhost_core.metrics.pixels import psnr, ssim
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import PuppetVideo, reference_portrait, render_video

PEOPLE = (1_000_001, 1_000_002, 1_000_003)
RNG = np.random.default_rng(11)


class SkinColour:
    """Stand in for the face network: the mean colour of the face's middle, as a direction."""

    def embed(self, image_YXC: np.ndarray, face_FKC: np.ndarray) -> np.ndarray:
        x, y = face_FKC[0, 30, :2].astype(int)
        vector = np.zeros(512)
        vector[:3] = image_YXC[y - 4 : y + 5, x - 4 : x + 5].mean(axis=(0, 1)) - 128
        return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def videos() -> list[PuppetVideo]:
    voices = bundled_utterances("held_out")
    return [
        render_video(seed, utterance=voices[number], performance_seed=number, frames=20)
        for number, seed in enumerate(PEOPLE)
    ]


def test_every_clip_is_nearest_to_its_own_portrait(videos: Sequence[PuppetVideo]) -> None:
    portraits = [reference_portrait(seed) for seed in PEOPLE]
    references = [looks(image[None], pose, face_identity=SkinColour()) for image, pose in portraits]
    for number, video in enumerate(videos):
        clip = looks(video.frames_FYXC, video.pose, face_identity=SkinColour())
        table = [likeness(clip, reference) for reference in references]
        assert own_is_nearest(table, own=number)
        assert table[number].colours == max(like.colours for like in table) > 0.5


def test_the_rule_is_cosine_plus_overlap_and_a_tie_is_a_miss() -> None:
    own, other = Likeness(face=0.7, colours=0.5), Likeness(face=0.9, colours=0.25)
    assert own_is_nearest([own, other], own=0)
    assert not own_is_nearest([own, other], own=1)
    assert not own_is_nearest([own, Likeness(face=0.5, colours=0.7)], own=0)


def test_frames_without_a_face_lower_the_cosine_in_proportion(videos: Sequence[PuppetVideo]) -> None:
    image, pose = reference_portrait(PEOPLE[0])
    reference = looks(image[None], pose, face_identity=SkinColour())
    frames, found = np.repeat(image[None], 4, axis=0), pose[np.zeros(4, dtype=int)]
    found.face_FKC[2:, :, 2] = 0.0
    assert likeness(looks(frames, found, face_identity=SkinColour()), reference).face == pytest.approx(0.5)


def test_a_histogram_counts_every_pixel_in_its_bin() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0] = (255, 31, 32)
    found = colour_histogram(image)
    assert found.sum() == pytest.approx(1.0)
    assert found[0] == 0.75
    assert found[7 * 64 + 0 * 8 + 1] == 0.25


def test_ssim_is_that_of_scikit_image(videos: Sequence[PuppetVideo]) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    frames, reference = videos[0].frames_FYXC[3:6], videos[0].frames_FYXC[0]
    noisy = np.clip(frames + RNG.normal(0, 12, frames.shape), 0, 255).astype(np.uint8)
    expected = [
        metrics.structural_similarity(
            frame, reference, channel_axis=-1, data_range=255,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for frame in noisy
    ]  # fmt: skip
    np.testing.assert_allclose(ssim(noisy, reference), expected, atol=1e-6)


def test_psnr_is_that_of_scikit_image(videos: Sequence[PuppetVideo]) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    frames, reference = videos[0].frames_FYXC[3:6], videos[0].frames_FYXC[0]
    expected = [metrics.peak_signal_noise_ratio(reference, frame) for frame in frames]
    np.testing.assert_allclose(psnr(frames, reference), expected)


def test_a_picture_is_entirely_like_itself_and_numbers_stay_finite() -> None:
    image = RNG.integers(0, 256, (32, 24, 3), dtype=np.uint8)
    assert ssim(image[None], image)[0] == pytest.approx(1.0)
    assert psnr(image[None], image)[0] == 100.0
    flat = np.zeros((32, 24, 3), np.uint8)
    assert np.isfinite(ssim(flat[None], image)).all()
