"""What a puppet clip shows is what its keypoints, its voice and its hand parameters say."""

import json
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from skimage.draw import polygon2mask

from cyberhost_core.errors import ConfigError, MissingExtraError
from cyberhost_core.hands.kinematics import hand_keypoints
from cyberhost_core.hands.rotations import axis_angles, rotation_matrices, unwrapped
from cyberhost_core.hands.skeleton import PARENTS, SIDES, rest_offsets
from cyberhost_core.puppets import speech
from cyberhost_core.puppets.bundle import BUNDLED_PORTRAITS
from cyberhost_core.puppets.draw_head import MOUTH_DARK, TEETH, TONGUE
from cyberhost_core.puppets.face import MAX_OPENING
from cyberhost_core.puppets.hand import projected_keypoints
from cyberhost_core.puppets.hand_shapes import HAND_SHAPES, hand_rotations
from cyberhost_core.puppets.identity import Identity, lip_colour, random_identity, skin_colour
from cyberhost_core.puppets.performance import random_performance
from cyberhost_core.puppets.sentences import SENTENCES, sentences
from cyberhost_core.puppets.speech import Utterance, bundled_utterances, mouth_shape, synthesize
from cyberhost_core.puppets.split import HELD_OUT_IDENTITIES, HELD_OUT_VOICES, TRAIN_IDENTITIES, TRAIN_VOICES
from cyberhost_core.puppets.world import FPS, reference_portrait, render_performance, render_video

LUMA = np.array((0.299, 0.587, 0.114))
SHARP = {"exposure_frames": 0.0, "defocus": 0.0}


def voice(secs: float = 3.0, *, level: float = 0.5) -> Utterance:
    """Make a sound with syllables of 0.2 s, a pause in the middle, and silence at both ends."""
    time = np.arange(round(secs * 16_000)) / 16_000
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None) * (
        0.6 + 0.4 * np.sin(2 * np.pi * 0.37 * time)
    )
    buzz = sum(np.sin(2 * np.pi * 130 * harmonic * time) / harmonic for harmonic in range(1, 20))
    speaking = (time > 0.3) & (time < secs - 0.3) & (np.abs(time - secs / 2) > 0.25)
    return Utterance("buzz", "none", "", (level * syllables * buzz * speaking / 2).astype(np.float32))


@pytest.fixture(scope="module")
def sharp_clip():
    performance = replace(random_performance(3), **SHARP)
    return render_performance(random_identity(12), utterance=voice(), performance=performance)


def test_the_same_seeds_draw_the_same_clip_and_others_do_not():
    first, again = (render_video(5, utterance=voice(), performance_seed=6, frames=8) for _ in range(2))
    other = render_video(5, utterance=voice(), performance_seed=7, frames=8)
    np.testing.assert_array_equal(first.frames_FYXC, again.frames_FYXC)
    np.testing.assert_array_equal(first.pose.packed_FKC(), again.pose.packed_FKC())
    assert not np.array_equal(first.frames_FYXC, other.frames_FYXC)


def test_a_short_clip_is_the_beginning_of_the_long_one():
    long, short = (
        render_video(5, utterance=voice(), performance_seed=6, frames=count) for count in (None, 10)
    )
    np.testing.assert_array_equal(short.pose.packed_FKC(), long.pose.packed_FKC()[:10])
    np.testing.assert_array_equal(short.mouth.opening_F, long.mouth.opening_F[:10])
    np.testing.assert_array_equal(short.frames_FYXC[:9], long.frames_FYXC[:9])
    assert len(long.pose) == 75 and len(short.wave_T) == 10 * 16_000 // FPS


def test_frames_beyond_the_sound_are_silent_and_shut():
    clip = render_video(5, utterance=voice(1.2), performance_seed=6, frames=40)
    assert len(clip.frames_FYXC) == len(clip.pose) == len(clip.hands) == 40
    assert len(clip.wave_T) == 40 * 640 and not clip.mouth.opening_F[30:].any()


@pytest.mark.parametrize("samples", [1, 400, 3000])
def test_a_sound_of_a_moment_still_makes_a_clip(samples: int):
    moment = Utterance("moment", "none", "", voice().wave_T[6000 : 6000 + samples])
    assert len(render_video(3, utterance=moment, performance_seed=1).pose) == -(-samples // 640)


def test_an_empty_sound_is_refused():
    with pytest.raises(ConfigError, match="0 frames"):
        render_video(3, utterance=Utterance("empty", "none", "", np.zeros(0, np.float32)), performance_seed=1)


def test_a_picture_that_is_not_4_to_3_is_refused():
    with pytest.raises(ConfigError, match="128 x 128"):
        render_performance(
            random_identity(0), utterance=voice(), performance=random_performance(0), height=128, width=128
        )


def test_twice_the_resolution_shows_the_same_picture_and_pose():
    small, small_pose = reference_portrait(8)
    large, large_pose = reference_portrait(8, height=256, width=192)
    shrunk = large.reshape(128, 2, 96, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 3.0
    wanted = small_pose.scaled(height=256, width=192).packed_FKC()
    np.testing.assert_allclose(large_pose.packed_FKC(), wanted, atol=1e-3)


# --- mouth


@pytest.mark.parametrize("identity_seed", [1, 4, 8])  # very dark, very light and middle skin
def test_the_drawn_mouth_is_as_open_as_the_sound_says(identity_seed: int):
    person = random_identity(identity_seed)
    performance = replace(random_performance(2), **SHARP)
    clip = render_performance(person, utterance=voice(), performance=performance)
    marks = clip.pose.face_FKC[..., :2]
    area = [
        interior_pixels(frame, face[48:60], person)
        for frame, face in zip(clip.frames_FYXC, marks, strict=True)
    ]
    # Divided by the mouth's width, the area of the interior measures the opening alone.
    height = np.array(area) / np.linalg.norm(marks[:, 64] - marks[:, 60], axis=-1)
    assert np.corrcoef(height, clip.mouth.opening_F)[0, 1] > 0.95


def interior_pixels(frame_YXC: np.ndarray, lips_K2: np.ndarray, person: Identity) -> int:
    """Count pixels within the lips' outline that look like the inside of a mouth rather than like lips."""
    pixels = frame_YXC[polygon2mask(frame_YXC.shape[:2], lips_K2[:, ::-1] - 0.5)].astype(float)

    def distance(*colours: tuple[int, int, int]) -> np.ndarray:
        return np.min([np.linalg.norm(pixels - colour, axis=1) for colour in colours], axis=0)

    return int((distance(MOUTH_DARK, TEETH, TONGUE) < distance(person.lips)).sum())


def test_inner_lip_landmarks_are_exactly_the_opening_apart(sharp_clip):
    marks = sharp_clip.pose.face_FKC[..., :2]
    gap = np.linalg.norm(marks[:, 66] - marks[:, 62], axis=-1)
    np.testing.assert_allclose(gap, sharp_clip.mouth.opening_F * MAX_OPENING, atol=1e-3)


def test_silence_shuts_the_mouth_and_speech_uses_the_whole_range():
    sound = voice(4.0)
    opening = mouth_shape(sound.wave_T, fps=FPS, frames=100).opening_F
    middle_of_frame = (np.arange(100) + 0.5) / FPS
    pause = (middle_of_frame < 0.25) | (middle_of_frame > 3.85) | (np.abs(middle_of_frame - 2.0) < 0.15)
    assert not opening[pause].any()
    assert opening.max() > 0.95 and np.mean((opening > 0.2) & (opening < 0.8)) > 0.05


def test_a_digital_silence_is_shut_and_not_amplified():
    assert not mouth_shape(np.zeros(16_000, np.float32), fps=FPS, frames=25).opening_F.any()


def test_the_opening_does_not_depend_on_the_recording_level():
    loud, quiet = (mouth_shape(voice(level=level).wave_T, fps=FPS, frames=75) for level in (0.5, 0.02))
    np.testing.assert_allclose(loud.opening_F, quiet.opening_F, atol=0.01)


def test_background_noise_does_not_open_the_mouth():
    noise = np.random.default_rng(0).normal(0, 0.004, 48_000)
    clean, noisy = (
        mouth_shape(voice().wave_T + added, fps=FPS, frames=75).opening_F for added in (0.0, noise)
    )
    assert noisy[clean == 0].max() < 0.05
    assert np.corrcoef(clean, noisy)[0, 1] > 0.99


def test_the_mouth_follows_within_two_frames():
    tone = np.sin(2 * np.pi * 500 * np.arange(48_000) / 16_000) * 0.3
    tone[:16_000] = tone[32_000:] = 0.0
    opening = mouth_shape(tone, fps=FPS, frames=75).opening_F
    assert opening[26] > 0.9 and opening[51] < 0.1


def test_a_bright_sound_makes_a_wide_mouth_and_a_dark_sound_a_narrow_one():
    time = np.arange(32_000) / 16_000
    vowel = np.where(time < 1, np.sin(2 * np.pi * 2500 * time), np.sin(2 * np.pi * 400 * time)) * 0.3
    width = mouth_shape(vowel, fps=FPS, frames=50).width_F
    assert width[5:20].min() > 0.6 and width[30:45].max() < 0.4


# --- looks


def test_skin_covers_very_dark_to_very_light_evenly():
    luminance = np.sort([random_identity(seed).skin_luminance for seed in HELD_OUT_IDENTITIES])
    assert luminance[0] < 0.03 and luminance[-1] > 0.97 and np.diff(luminance).max() < 0.03
    luma = np.array([skin_colour(value) @ LUMA for value in np.linspace(0, 1, 11)])
    np.testing.assert_allclose(np.diff(luma), np.diff(luma).mean(), rtol=0.1)


def test_lips_stand_off_equally_from_every_skin():
    contrast = [abs((np.array(lip_colour(v)) - skin_colour(v)) @ LUMA) for v in np.linspace(0, 1, 21)]
    assert min(contrast) > 50 and max(contrast) < 65


def test_clothes_and_background_stand_off_from_the_skin():
    people = [random_identity(seed) for seed in range(60)]
    for person in people:
        assert np.linalg.norm(np.subtract(person.clothes, person.skin)) > 85
        assert np.linalg.norm(np.subtract(person.background, person.skin)) > 60
    assert len({person.hair_style for person in people}) == 8
    assert len({person.clothes_style for person in people}) == 4


# --- hands


def test_hand_forward_kinematics_equal_a_naive_chain_of_matrices():
    rng = np.random.default_rng(1)
    rotations = rng.normal(0, 0.7, (4, 16, 3))
    for side in SIDES:
        offsets = rest_offsets(side)
        keypoints = hand_keypoints(rotations, side=side)
        for frame in range(4):
            joints = naive_joints(rotations[frame], offsets)
            # OpenPose: wrist, thumb (MANO 13-15), index 1-3, middle 4-6, ring 10-12, pinky 7-9; tips last
            order = [0, 13, 14, 15, 20, 1, 2, 3, 16, 4, 5, 6, 17, 10, 11, 12, 19, 7, 8, 9, 18]
            np.testing.assert_allclose(keypoints[frame], [joints[index] for index in order], atol=1e-9)


def naive_joints(rotations_J3: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Walk from each joint up to the root, one 4 x 4 matrix per bone, matrices by the exponential series."""
    bones = []
    for rotation, offset in zip(rotations_J3, offsets[:16], strict=True):
        x, y, z = rotation
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turned, term = np.eye(3), np.eye(3)
        for power in range(1, 40):
            term = term @ cross / power
            turned = turned + term
        bone = np.eye(4)
        bone[:3, :3], bone[:3, 3] = turned, offset
        bones.append(bone)
    joints = []
    for joint in range(21):
        point = np.array([0.0, 0.0, 0.0, 1.0])
        parent = joint
        if joint >= 16:  # a tip hangs on its finger's last joint
            point = np.append(offsets[joint], 1.0)
            parent = 3 * (joint - 16) + 3
        while parent >= 0:
            point = bones[parent] @ point
            parent = PARENTS[parent]
        joints.append(point[:3])
    return joints


def test_axis_angles_undo_rotation_matrices_even_near_half_turns():
    rng = np.random.default_rng(2)
    axes = rng.normal(size=(200, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.concatenate([rng.uniform(0, np.pi, 190), [0.0, 1e-7, 1e-4, *np.full(7, np.pi - 1e-7)]])
    vectors = axes * angles[:, None]
    np.testing.assert_allclose(axis_angles(rotation_matrices(vectors)), vectors, atol=1e-6)


def test_a_wrist_that_turns_past_half_a_turn_has_no_jump_in_its_numbers():
    axis = np.array([0.6, 0.0, 0.8])
    turns = np.linspace(2.0, 4.5, 40)[:, None] * axis
    np.testing.assert_allclose(unwrapped(axis_angles(rotation_matrices(turns))), turns, atol=1e-6)


def test_a_left_hand_is_the_mirror_image_of_a_right_hand():
    turn, shape = np.array([[20.0, -10.0, 30.0]]), np.array([HAND_SHAPES["two"]])
    right, left = (
        hand_keypoints(hand_rotations(turn, shape, side=side), side=side) for side in ("right", "left")
    )
    np.testing.assert_allclose(left, right * (-1.0, 1.0, 1.0), atol=1e-9)


def test_a_pointing_hand_has_one_long_finger_and_a_fist_none():
    reach = {}
    for name in ("point", "fist", "open"):
        rotations = hand_rotations(np.zeros((1, 3)), np.array([HAND_SHAPES[name]]), side="right")
        tips = hand_keypoints(rotations, side="right")[0][[8, 12, 16, 20]]
        reach[name] = np.linalg.norm(tips, axis=1) > 0.7
    assert (
        reach["open"].all()
        and not reach["fist"].any()
        and reach["point"].tolist() == [True, False, False, False]
    )


def test_finger_tips_lie_on_hand_coloured_pixels(sharp_clip):
    person = sharp_clip.identity
    colours = np.array([person.skin, person.highlight, person.outline], float)
    hits = []
    for hand in (sharp_clip.pose.left_hand_FKC, sharp_clip.pose.right_hand_FKC):
        for frame, tips in zip(
            sharp_clip.frames_FYXC, hand[:, [4, 8, 12, 16, 20], :2].astype(int), strict=True
        ):
            pixels = frame[tips[:, 1], tips[:, 0]].astype(float)
            hits.append(on_the_way_between(pixels, colours) < 25)
    assert np.mean(hits) > 0.98


def on_the_way_between(pixels: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Distance of pixels to the nearest mixture of two of the colours: edges are smooth."""
    distances = []
    for first, second in pairwise([*colours, colours[0]]):
        way = second - first
        share = np.clip((pixels - first) @ way / (way @ way), 0, 1)
        distances.append(np.linalg.norm(pixels - first - share[:, None] * way, axis=1))
    return np.min(distances, axis=0)


def test_fingers_stay_apart_in_the_picture():
    """A line across four spread fingers meets four bright runs between dark outlines, on dark skin too."""
    for seed in (1, 4):
        image, pose = reference_portrait(seed)
        joints = pose.right_hand_FKC[0, [6, 10, 14, 18], :2]
        fine = np.concatenate([np.linspace(a, b, 40) for a, b in pairwise(joints)])
        luma = image[fine[:, 1].astype(int), fine[:, 0].astype(int)] @ LUMA
        skin, outline = (
            np.array(c) @ LUMA for c in (random_identity(seed).skin, random_identity(seed).outline)
        )
        for gap in luma.reshape(3, 40):
            assert gap[[0, -1]].min() > 0.5 * (skin + outline) > gap.min()


def test_hand_parameters_and_hand_keypoints_agree(sharp_clip):
    size = 28.0 / 128.0 * sharp_clip.identity.hand_size
    for side, hand in zip(
        SIDES, (sharp_clip.pose.left_hand_FKC, sharp_clip.pose.right_hand_FKC), strict=True
    ):
        drawn = projected_keypoints(sharp_clip.hands, side=side, size_frac=size, height=128, width=96)
        np.testing.assert_allclose(drawn[..., :2], hand[..., :2], atol=1e-3)
    assert sharp_clip.hands.rotations.shape == (75, 2, 16, 3)


def test_hands_stay_in_the_picture_off_the_face_and_off_each_other():
    for seed in range(4):
        pose = render_video(seed, utterance=voice(), performance_seed=seed).pose
        left, right = pose.left_hand_FKC, pose.right_hand_FKC
        assert left[..., 2].all() and right[..., 2].all()
        assert min(left[..., 1].min(), right[..., 1].min()) > pose.face_FKC[:, 8, 1].max()
        assert (right[..., 0].max(axis=1) <= left[..., 0].min(axis=1)).all()


# --- controls


def test_the_thorax_moves_more_in_a_bigger_box_and_never_leaves_it():
    person, ranges = random_identity(0), []
    for half in (0.0, 2.0, 4.0, 7.0):
        performance = replace(random_performance(1), sway_x=half, sway_y=half / 2)
        pose = render_performance(person, utterance=voice(), performance=performance, frames=48).pose
        moved = np.ptp(pose.thorax_FC()[:, :2], axis=0)
        assert (moved <= 2 * half * np.array((1, 0.5)) + 1e-4).all()
        assert (moved >= 1.4 * half * np.array((1, 0.5))).all()
        ranges.append(moved[0])
    assert ranges == sorted(ranges)


def test_exposure_and_defocus_each_take_detail_from_the_hands_only():
    def detail(exposure: float, defocus: float) -> tuple[float, float]:
        performance = replace(
            random_performance(3), gesture_speed=1.0, gesture_size=1.0, sway_x=0.0, sway_y=0.0
        )
        performance = replace(performance, exposure_frames=exposure, defocus=defocus)
        frames = render_performance(
            random_identity(12), utterance=voice(), performance=performance
        ).frames_FYXC
        steps = np.abs(np.diff(frames.astype(float), axis=2)).mean(axis=(0, 2, 3))
        return steps[70:].sum(), steps[:55].sum()

    sharp, moving, soft = detail(0.0, 0.0), detail(1.6, 0.0), detail(0.0, 1.6)
    assert moving[0] < 0.97 * sharp[0] and soft[0] < 0.85 * sharp[0]
    assert sharp[1] == moving[1] == soft[1]


def test_controls_are_rolled_over_their_whole_range_and_apart_from_each_other():
    rolled = [random_performance(seed) for seed in range(300)]
    table = np.array(
        [[p.sway_x / 7, p.sway_y / 3.5, p.exposure_frames / 1.6, p.defocus / 1.6] for p in rolled]
    )
    counts = [np.histogram(column, bins=5, range=(0, 1))[0] for column in table.T]
    assert np.min(counts) > 35
    assert np.abs(np.corrcoef(table.T) - np.eye(4)).max() < 0.15


def test_points_score_one_inside_the_picture_and_zero_outside(sharp_clip):
    packed = sharp_clip.pose.packed_FKC()
    inside = ((packed[..., :2] >= 0) & (packed[..., :2] < (96, 128))).all(axis=-1)
    np.testing.assert_array_equal(packed[..., 2], inside)
    assert not packed[:, 8:14, 2].any() and packed[:, :2, 2].all() and packed[:, 18:, 2].all()


def test_the_persons_right_is_on_the_pictures_left(sharp_clip):
    body = sharp_clip.pose.body_FKC[..., 0]
    for right, left in ((2, 5), (4, 7), (8, 11), (14, 15), (16, 17)):
        assert (body[:, right] < body[:, left]).all()


def test_eyes_close_in_blinks(sharp_clip):
    marks = sharp_clip.pose.face_FKC[..., :2]
    height = np.linalg.norm(marks[:, 37] - marks[:, 41], axis=-1)
    assert height.min() < 0.15 * height.max() and np.mean(height > 0.9 * height.max()) > 0.7


# --- speech and splits


def test_the_split_shares_no_identity_voice_or_sentence():
    assert not set(TRAIN_IDENTITIES) & set(HELD_OUT_IDENTITIES)
    assert not {v.split("+")[1] for v in TRAIN_VOICES} & {v.split("+")[1] for v in HELD_OUT_VOICES}
    assert not set(sentences("train")) & set(sentences("held_out"))
    assert len(SENTENCES) == len(set(SENTENCES)) >= 150


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_bundled_utterances_speak_and_pause(split):
    utterances = bundled_utterances(split)
    assert len(utterances) == 12
    for utterance in utterances:
        secs = len(utterance.wave_T) / 16_000
        opening = mouth_shape(utterance.wave_T, fps=FPS, frames=round(secs * FPS)).opening_F
        assert utterance.wave_T.dtype == np.float32 and 2.9 < secs < 4.6
        assert np.mean(opening == 0) > 0.08 and opening.max() > 0.95 and np.mean(opening > 0.9) < 0.25
        assert opening[0] == 0 and opening[-1] == 0


def test_bundled_files_are_small_and_held_out_portraits_can_be_drawn_again():
    folder = speech.BUNDLED_SPEECH
    assert sum(file.stat().st_size for file in folder.iterdir()) < 600_000
    rows = json.loads((BUNDLED_PORTRAITS / "index.json").read_text(encoding="utf-8"))
    assert len(rows) == 3
    for row in rows:
        assert row["identity_seed"] in HELD_OUT_IDENTITIES
        image, pose = reference_portrait(row["identity_seed"])
        np.testing.assert_allclose(row["keypoints_KC"], pose.packed_FKC()[0], atol=0.01)
        stored = cv2.cvtColor(cv2.imread(str(BUNDLED_PORTRAITS / row["file"])), cv2.COLOR_BGR2RGB)
        np.testing.assert_array_equal(stored, image)


@pytest.mark.skipif(speech.shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_synthesis_is_repeatable_and_keeps_to_its_side():
    first, again, other = (synthesize(3, split=side) for side in ("train", "train", "held_out"))
    np.testing.assert_array_equal(first.wave_T, again.wave_T)
    assert first.voice in TRAIN_VOICES and other.voice in HELD_OUT_VOICES
    assert np.abs(first.wave_T).max() == pytest.approx(0.7, abs=1e-3)
    assert not first.wave_T[:1600].any() and not first.wave_T[-1600:].any()


def test_a_machine_without_espeak_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(speech.shutil, "which", lambda _: None)
    with pytest.raises(MissingExtraError, match="apt install espeak-ng"):
        synthesize(3, split="train")
