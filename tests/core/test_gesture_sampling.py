"""Hands from a voice: any length without jumps, the same seed the same hands, and what is refused."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cyberhost_core import bundled
from cyberhost_core.checkpoints.gestures import load_gestures
from cyberhost_core.checkpoints.parts import load_speech
from cyberhost_core.controls.audio_windows import interpolate_to_fps
from cyberhost_core.diffusion.schedule import NoiseSchedule
from cyberhost_core.errors import AudioError, ConfigError, PoseError
from cyberhost_core.gesture.forms import FORMS, FormName
from cyberhost_core.gesture.model import GestureModel, GestureModelConfig, Learnt, wrist_amplitude
from cyberhost_core.gesture.sampling import generate_motion
from cyberhost_core.gesture.transformer import GestureConfig
from cyberhost_core.gesture.untaught import untaught
from cyberhost_core.hands import arm_chain
from cyberhost_core.hands.parameters import LIMB_POINTS, HandParameters
from cyberhost_core.metrics.hand_joints import picture_joints
from cyberhost_core.perception.speech import SpeechFeatures
from cyberhost_core.puppets.body import FOREARM, UPPER_ARM, elbows
from cyberhost_core.puppets.gesture_clips import puppet_hands, resting_offset
from cyberhost_core.puppets.identity import random_identity
from cyberhost_core.puppets.performance import random_performance
from cyberhost_core.puppets.speech import bundled_utterances

AUDIO_DIM = 6
SEQUENCE, BEFORE = 16, 4
LEARNT_ALL = Learnt(styles=("speaking", "singing", "dance"), one_hand=True)


def small_model(form: FormName = "hands", **changes: Any) -> GestureModel:
    """A small network whose zero-initialised parts are set, as training would."""
    torch.manual_seed(0)
    transformer = GestureConfig(
        vector=FORMS[form].numbers,
        width=16,
        blocks=1,
        heads=2,
        frames=SEQUENCE,
        frames_before=BEFORE,
        audio_dim=AUDIO_DIM,
        image_dim=5,
        offset_dim=8,
    )
    config = GestureModelConfig(transformer=transformer, form=form, learnt=LEARNT_ALL)
    model = GestureModel(config.derive(**changes))
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return model.eval().requires_grad_(False)


def voice(frames: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(frames, AUDIO_DIM, generator=torch.Generator().manual_seed(seed))


def hands(model: GestureModel, frames: int = 40, **changes: Any) -> HandParameters:
    given = {"audio_FD": voice(frames), "frames": frames, "seed": 0, "steps": 3}
    return generate_motion(model, **(given | changes))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("frames", [1, SEQUENCE, SEQUENCE + 1, 3 * SEQUENCE - 5])
def test_any_length_gives_whole_hands(form: FormName, frames: int) -> None:
    made = hands(small_model(form), frames)
    assert len(made) == frames
    assert made.valid_FH.all()
    assert (made.limbs_FKC is not None) == (form == "keypoints")
    assert (made.source, made.fps) == ("emo2", 25.0)
    np.testing.assert_allclose(np.linalg.norm(made.quaternions(), axis=-1), 1, atol=1e-5)


def test_the_seed_decides_and_nothing_else_random_does() -> None:
    model = small_model()
    torch.manual_seed(1)
    first = hands(model)
    torch.manual_seed(2)
    assert np.array_equal(hands(model).vectors_FD, first.vectors_FD)
    assert np.abs(hands(model, seed=1).vectors_FD - first.vectors_FD).max() > 1e-3


def test_a_longer_voice_begins_as_the_shorter_one_does() -> None:
    """Noise belongs to the absolute frame, and what follows does not change what was."""
    model, frames = small_model(), 2 * SEQUENCE
    longer = hands(model, frames + 10)
    shorter = hands(model, frames, audio_FD=voice(frames + 10)[:frames])
    np.testing.assert_allclose(longer.vectors_FD[:frames], shorter.vectors_FD, atol=1e-5)


def test_a_sequence_that_goes_on_knows_the_frames_before() -> None:
    """Another sound in the first sequence changes the second, though its own sound and noise are the same."""
    model = small_model()
    other = voice(40)
    other[:SEQUENCE] = voice(SEQUENCE, seed=9)
    changed = hands(model, audio_FD=other).vectors_FD - hands(model).vectors_FD
    assert np.abs(changed[SEQUENCE : 2 * SEQUENCE]).max() > 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {"audio_FD": voice(40, seed=3)},
        {"style": "singing"},
        {"amplitudes": (0.12, None)},
        {"amplitudes": (None, 0.12)},
        {"image_D": torch.ones(5)},
        {"hands": (True, False)},
        {"offset_FD": np.full((1, 8), 0.5)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_everything_that_is_told_changes_the_hands(changes: dict[str, Any]) -> None:
    model = small_model()
    assert np.abs(hands(model, **changes).vectors_FD - hands(model).vectors_FD).max() > 1e-4


def test_one_offset_stands_for_every_frame() -> None:
    model, offset = small_model(), np.linspace(0, 1, 8)[None]
    once = hands(model, offset_FD=offset)
    each = hands(model, offset_FD=np.repeat(offset, 40, axis=0))
    np.testing.assert_allclose(once.vectors_FD, each.vectors_FD, atol=1e-6)
    assert np.allclose(once.offset_FD, offset)


def test_without_any_guidance_on_sound_the_sound_does_not_matter() -> None:
    """Scale 0 is the pass that hears nothing, scale 1 the plain one."""
    deaf = small_model(audio_scale=0.0)
    one, other = (hands(deaf, audio_FD=voice(40, seed=seed)).vectors_FD for seed in (0, 1))
    np.testing.assert_allclose(one, other, atol=1e-5)
    nothing = hands(small_model(), audio_FD=torch.zeros(40, AUDIO_DIM)).vectors_FD
    np.testing.assert_allclose(one, nothing, atol=1e-4)
    assert (
        np.abs(hands(small_model(audio_scale=2.0)).vectors_FD - hands(small_model()).vectors_FD).max() > 1e-4
    )


def test_sizes_are_handed_through() -> None:
    assert np.allclose(hands(small_model(), sizes_frac=(0.2, 0.25)).sizes_frac_FH, (0.2, 0.25))


def test_progress_counts_every_step_of_every_sequence() -> None:
    told: list[tuple[int, int]] = []
    hands(small_model(), 2 * SEQUENCE + 1, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 9) for done in range(1, 10)]


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"frames": 0}, ConfigError, "0 frames was asked for; ask for at least 1"),
        ({"audio_FD": torch.zeros(40, 7)}, AudioError, r"\[40, 7\] came for 40 frames .* \[40, 6\] was exp"),
        ({"audio_FD": torch.zeros(39, 6)}, AudioError, r"\[39, 6\] came for 40 frames"),
        ({"audio_FD": torch.full((40, 6), math.nan)}, AudioError, "not numbers .*; check the sound"),
        ({"style": "opera"}, ConfigError, "'opera' is not known .*; choose one of: speaking, singing, dance"),
        ({"amplitudes": (0.1, -0.1)}, ConfigError, "-0.1 was asked for the right hand, but 0 or more"),
        ({"amplitudes": (math.inf, None)}, ConfigError, "inf was asked for the left hand"),
        (
            {"offset_FD": np.zeros((39, 8))},
            ConfigError,
            r"\[39, 8\] came .* \[40, 8\] or \[1, 8\] was expected",
        ),
        (
            {"hands": (False, False)},
            ConfigError,
            "Motion of no hand was asked for; ask for the left one",
        ),
        ({"image_D": torch.zeros(4)}, ConfigError, r"embedding of shape \[4\] came, but \[5\] was expected"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        hands(small_model(), **changes)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("form", FORMS)
def test_an_absent_hand_is_in_no_frame_and_the_network_is_never_shown_one(form: FormName) -> None:
    """Its numbers reach the network as in training: noise around the mean, and its mask says so."""
    model, shown = small_model(form), []
    hook = model.transformer.register_forward_pre_hook(
        lambda _, args, told: shown.append((*args, told)), with_kwargs=True
    )
    made = hands(model, 2 * SEQUENCE, hands=(False, True), amplitudes=(0.1, 0.1))
    hook.remove()
    assert not made.valid_FH[:, 0].any() and made.valid_FH[:, 1].all()
    left_D = torch.from_numpy(model.form.hand_D == 0)
    sigma = NoiseSchedule(model.config.schedule).sigma
    first, *_ = shown
    noise_FD = first[0][0] / sigma[int(first[1][0])]
    for x_BFD, timestep_B, told in shown:
        assert told["mask_BFH"][..., 0].eq(0).all() and told["mask_BFH"][..., 1].eq(1).all()
        assert told["amplitude_BH"].isnan().tolist() == [[True, False]]
        assert not told["before_BPD"][..., left_D].any()
        if not len(told["before_BPD"][0]):
            expected = sigma[int(timestep_B[0])] * noise_FD[:, left_D]
            torch.testing.assert_close(x_BFD[0][:, left_D], expected, atol=1e-5, rtol=1e-4)


def test_a_model_that_never_saw_one_hand_alone_moves_both_and_leaves_one_out() -> None:
    model, said = small_model(learnt=Learnt(styles=("speaking",))), []
    both, one = hands(model), hands(model, hands=(True, False), notice=said.append)
    assert not one.valid_FH[:, 1].any()
    assert np.array_equal(one.vectors_FD[:, :67], both.vectors_FD[:, :67])
    (text,) = said
    assert "never saw one hand alone in training" in text
    assert text.endswith("the right one is left out.")


def test_what_was_never_trained_is_said_in_a_sentence_each_and_what_was_is_not() -> None:
    asked = {"style": "singing", "image_D": torch.ones(5), "hands": (False, True)}
    said: list[str] = []
    hands(small_model(), **asked, notice=said.append)
    assert said == []
    model = small_model(learnt=Learnt())
    for name, weights in model.named_parameters():
        if name.startswith("transformer.image_in."):
            torch.nn.init.zeros_(weights)
    hands(model, notice=said.append)
    assert said == []
    hands(model, **asked, notice=said.append)
    style, picture, hand = said
    assert "style 'singing' in training (it learnt speaking)" in style
    assert "the picture has no effect" in picture
    assert "left one is left out" in hand
    plain = hands(model, style="singing", hands=(False, True))
    with_picture = hands(model, **asked)
    assert np.array_equal(plain.vectors_FD, with_picture.vectors_FD), "as the sentence says"


def test_the_bundled_model_says_that_it_learnt_speaking_with_both_hands_alone() -> None:
    model = load_gestures(bundled.GESTURES)
    assert model.config.learnt == Learnt(styles=("speaking",), one_hand=False)
    assert not model.learnt_picture
    said = untaught(model, style="dance", picture=True, hands=(True, False))
    assert len(said) == 3 and all(text.endswith(".") for text in said)
    assert untaught(model, style="speaking") == []


def test_the_bundled_model_makes_the_hands_that_it_always_made() -> None:
    """Recorded before arms, one hand and other predictions could be chosen."""
    model = load_gestures(bundled.GESTURES)
    audio_FD = torch.randn(150, 384, generator=torch.Generator().manual_seed(0))
    made = generate_motion(
        model,
        audio_FD=audio_FD,
        frames=150,
        seed=3,
        steps=4,
        amplitudes=model.amplitudes((1.2, 0.8)),
        offset_FD=np.linspace(0, 1, 8)[None],
    )
    np.testing.assert_allclose(
        made.vectors_FD[140, :4], (0.39375395, -0.6079185, -0.6234037, 0.2945518), atol=1e-4
    )


def test_limbs_are_written_beside_the_same_hands_and_an_unseen_one_is_nowhere() -> None:
    form, motion = FORMS["keypoints"], puppet()
    written = form.write(motion)
    assert written.shape == (len(motion), 134 + 30)
    assert np.array_equal(written[:, :134], FORMS["hands"].write(motion))
    assert not form.leading_D[134:].any() and (form.hand_D[134:] == -1).all()
    back_FKC = form.limbs(form.tidy(written))
    assert back_FKC is not None and motion.limbs_FKC is not None
    np.testing.assert_allclose(back_FKC, motion.limbs_FKC, atol=1e-6)
    knee = written[:, 134 + 3 * LIMB_POINTS.index(9) :][:, :3]
    assert np.isnan(knee[:, :2]).all() and (knee[:, 2] == 0).all(), "a puppet's legs are below its picture"
    standard = small_model("keypoints").standardized(written)
    assert bool(standard.isfinite().all())
    with pytest.raises(PoseError, match=r"has hands alone, but arms and legs .*; prepare the data again, or"):
        form.write(replace(motion, limbs_FKC=None))


def puppet(number: int = 0) -> HandParameters:
    utterance = bundled_utterances("train")[number]
    return puppet_hands(utterance, performance=random_performance(number), identity=random_identity(number))


def test_arms_hold_the_hands_where_they_were() -> None:
    form, motion = FORMS["arms"], puppet()
    written = form.write(motion)
    assert written.shape == (len(motion), form.numbers)
    back = HandParameters(form.read(form.tidy(written)), motion.valid_FH, fps=25.0, source="test")
    np.testing.assert_allclose(back.translations(), motion.translations(), atol=1e-6)
    np.testing.assert_allclose(back.matrices(), motion.matrices(), atol=2e-6)
    assert np.abs(np.diff(written, axis=0)).max() < 0.5, "turns go on without jumps of sign"


def test_arms_that_cannot_reach_stretch_and_still_hold_the_hands() -> None:
    far = np.array([[0.9, 0.98, 0.3], [0.5, 0.6, 0.2]])
    arm = arm_chain.arm_turns(far, side="left")
    assert arm.stretch_F[0] > 1.05
    assert arm.stretch_F[1] == 1
    found, _ = arm_chain.wrist_place(arm.shoulder_F33, arm.elbow_F33, arm.stretch_F, side="left")
    np.testing.assert_allclose(found, far, atol=1e-9)


def test_elbows_are_where_a_drawn_puppet_has_them() -> None:
    """The two solve the same geometry: one in pixels, one as turns."""
    places_F3 = puppet().translations()[:, 0].astype(np.float64)
    arm = arm_chain.arm_turns(places_F3, side="left")
    upper = -arm_chain.UPPER_ARM * arm.shoulder_F33[..., 1] * arm.stretch_F[:, None]
    found = (upper + arm_chain.SHOULDERS["left"]) * (128, -128, 128)
    shoulder = np.tile(np.array([68.5, 68.0, 0.0]), (len(places_F3), 1))
    drawn = elbows(shoulder, places_F3 * (96, 128, 128), outward=1.0)
    np.testing.assert_allclose(found, drawn, atol=0.15)
    assert pytest.approx((UPPER_ARM, FOREARM), abs=0.1) == (
        128 * arm_chain.UPPER_ARM,
        128 * arm_chain.FOREARM,
    )


def test_hands_of_a_network_are_brought_to_unit_quaternions() -> None:
    for form in FORMS.values():
        raw = np.random.default_rng(0).standard_normal((5, form.numbers)).astype(np.float32)
        once = form.tidy(raw)
        np.testing.assert_allclose(form.tidy(once), once, atol=1e-6)
        np.testing.assert_allclose(form.read(raw), form.read(once), atol=1e-5)


def test_amplitude_is_the_deviation_of_the_wrist_s_place() -> None:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    places = np.zeros((400, 2, 3))
    places[:, 0, :2] = 0.5 + 0.1 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    places[:, 0, 2] = angle  # depth is not in the picture
    valid = np.ones((400, 2), dtype=bool)
    valid[:, 1] = False
    circle = HandParameters.from_axis_angles(
        np.zeros((400, 2, 16, 3)), places, fps=25.0, source="test", valid_FH=valid
    )
    left, right = wrist_amplitude(circle)
    assert left == pytest.approx(0.1, rel=1e-3)
    assert math.isnan(right)


@pytest.fixture(scope="module")
def heard() -> Callable[[int], torch.Tensor]:
    """Held-out voices one after the other, as the bundled speech encoder hears them."""
    speech = SpeechFeatures.from_state_dict(*load_speech(bundled.CHECKPOINT))
    wave_T = np.concatenate([one.wave_T for one in bundled_utterances("held_out")[:4]])
    return lambda frames: interpolate_to_fps(speech.extract(wave_T), frames=frames, fps=25)


def steps_between_frames(motion: HandParameters) -> np.ndarray:
    """How far the fastest joint goes from each frame to the next, in picture heights."""
    joints = picture_joints(motion, height=128, width=96)
    return np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=(1, 2))


def test_hands_do_not_jump_where_sequences_join(heard: Callable) -> None:
    """The bundled model: at the joins no joint is faster than the fastest few frames inside sequences.

    The control joins two motions of different seeds in the middle of the sound: it does jump.
    """
    model = load_gestures(bundled.GESTURES)
    length = model.config.transformer.frames
    frames = 2 * length + 60
    motions = [
        generate_motion(
            model,
            audio_FD=heard(frames),
            frames=frames,
            seed=seed,
            offset_FD=resting_offset(random_identity(0)),
        )
        for seed in range(3)
    ]
    steps_SF = np.stack([steps_between_frames(motion) for motion in motions])
    at_joins = steps_SF[:, [length - 1, 2 * length - 1]]
    inside = np.delete(steps_SF, [length - 1, 2 * length - 1], axis=1)
    bound = np.quantile(inside, 0.99)
    assert at_joins.max() <= bound, (at_joins, bound)
    assert np.median(at_joins) <= np.quantile(inside, 0.9)
    cut = np.concatenate([motions[0].vectors_FD[:length], motions[1].vectors_FD[length:]])
    control = HandParameters(cut, motions[0].valid_FH, fps=25.0, source="control")
    assert steps_between_frames(control)[length - 1] > bound


def test_factors_of_the_usual_amplitude_leave_an_unseen_hand_to_the_model() -> None:
    model = small_model()
    model.typical_amplitude_H.copy_(torch.tensor([0.06, math.nan]))
    left, right = model.amplitudes((1.5, 1.0))
    assert left == pytest.approx(0.09)
    assert right is None
