"""Maps of hands and limbs show what the parameters say, nearest first; medians keep steps and drop spikes."""

from dataclasses import replace

import numpy as np
import pytest

from cyberhost_core.errors import PoseError
from cyberhost_core.hands.confidence import hand_confidence
from cyberhost_core.hands.drawing.capsules import capsule_surfaces
from cyberhost_core.hands.drawing.hand_maps import draw_hand_maps
from cyberhost_core.hands.drawing.keypoint_maps import draw_keypoint_maps, median_filtered
from cyberhost_core.hands.drawing.triangles import Triangles, paint_nearest
from cyberhost_core.hands.parameters import HandParameters, resting_vectors
from cyberhost_core.hands.poses import hand_points, pose_from_parameters
from cyberhost_core.puppets.hand_shapes import HAND_SHAPES, hand_rotations
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.world import FPS, reference_portrait, render_video
from cyberhost_core.types import Pose

BONES = [(0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21)]


@pytest.fixture(scope="module")
def clip():
    return render_video(7, utterance=bundled_utterances("held_out")[0], performance_seed=3, frames=30)


@pytest.fixture(scope="module")
def parameters(clip) -> HandParameters:
    size = 28 / 128 * clip.identity.hand_size
    return clip.hands.parameters(size_frac=size, fps=FPS, source="a puppet")


def held(shape: str, *, left: tuple[float, ...], right: tuple[float, ...]) -> HandParameters:
    """Both hands in one shape, palms to the viewer, at two places."""
    turn, six = np.zeros((1, 3)), np.array([HAND_SHAPES[shape]])
    rotations = np.stack([hand_rotations(turn, six, side=side) for side in ("left", "right")], axis=1)
    return HandParameters.from_axis_angles(rotations, np.array([[left, right]]), fps=25, source="a test")


def test_the_rasteriser_paints_what_a_loop_over_pixels_paints():
    rng = np.random.default_rng(0)
    corners = rng.uniform(-4, 30, (60, 3, 3))
    colours, frames = rng.random((60, 3, 2)), rng.integers(0, 2, 60)
    canvas = np.zeros((2, 22, 26, 2), np.float32)
    paint_nearest(canvas, Triangles(frames, corners, colours))
    wanted, depth = np.zeros_like(canvas), np.full((2, 22, 26), -np.inf)
    on_an_edge = np.zeros((2, 22, 26), dtype=bool)  # within float32's accuracy either answer is right
    for frame, corner, colour in zip(frames, corners, colours, strict=True):
        flat = np.column_stack([corner[:, :2], np.ones(3)])
        if np.linalg.det(flat) >= 0:  # its back
            continue
        for y in range(22):
            for x in range(26):
                share = np.linalg.solve(flat.T, [x + 0.5, y + 0.5, 1])
                on_an_edge[frame, y, x] |= np.abs(share).min() < 2e-4
                if share.min() >= 0 and share @ corner[:, 2] > depth[frame, y, x]:
                    depth[frame, y, x] = share @ corner[:, 2]
                    wanted[frame, y, x] = share @ colour
    assert np.isfinite(depth).mean() > 0.5 and on_an_edge.mean() < 0.02
    np.testing.assert_allclose(canvas[~on_an_edge], wanted[~on_an_edge], atol=1e-3)


def test_left_is_red_right_is_green_and_both_lie_where_the_puppets_hands_are(clip, parameters):
    maps = draw_hand_maps(parameters, height=128, width=96).numpy()
    assert maps.shape == (30, 3, 128, 96) and maps.dtype == np.float32
    assert maps.min() >= 0 and maps.max() <= 1
    for channel, hand_FKC in ((0, clip.pose.left_hand_FKC), (1, clip.pose.right_hand_FKC)):
        at = hand_FKC[..., :2].astype(int)
        frame = np.arange(30)[:, None]
        assert (maps[frame, channel, at[..., 1], at[..., 0]] > 0).mean() > 0.99
        places = np.stack(np.meshgrid(np.arange(96) + 0.5, np.arange(128) + 0.5), axis=-1)
        for one, points in zip(maps[::10, channel], hand_FKC[::10, :, :2], strict=True):
            away = np.min([segment_distance(places, points[a], points[b]) for a, b in BONES], axis=0)
            assert not one[away > 6.2].any()  # the heel lies beside the wrist


def segment_distance(places: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    way = end - start
    along = np.clip((places - start) @ way / max(way @ way, 1e-9), 0, 1)
    return np.linalg.norm(places - start - along[..., None] * way, axis=-1)


@pytest.mark.parametrize(("nearer", "channel"), [("left", 0), ("right", 1)])
def test_the_nearer_hand_hides_the_other(nearer, channel):
    front, behind = (0.5, 0.6, 0.5), (0.5, 0.6, 0.1)
    places = {"left": front, "right": behind} if nearer == "left" else {"left": behind, "right": front}
    both = held("fist", **places)
    alone = replace(both, valid_FH=np.array([[nearer == "left", nearer == "right"]]))
    together, single = (draw_hand_maps(hands, height=256, width=192).numpy()[0] for hands in (both, alone))
    solid = single[channel] > 0.5
    np.testing.assert_allclose(together[channel][solid], single[channel][solid], atol=1e-6)
    inner = solid & (single[2] > 0.6)
    assert inner.sum() > 200 and not together[1 - channel][inner].any()


def test_fingers_of_a_fist_hide_the_palm_from_the_front_and_hide_behind_it_from_the_back():
    palm = held("fist", left=(0.75, 0.6, 0.2), right=(0.25, 0.6, 0.2))
    rotations, places = palm.axis_angles()
    half_turn = hand_rotations(np.array([[0.0, 0.0, 180.0]]), np.array([HAND_SHAPES["fist"]]), side="right")
    rotations[:, 1] = half_turn
    back = HandParameters.from_axis_angles(rotations, places, fps=25, source="a test")
    front_map, back_map = (
        draw_hand_maps(hands, height=256, width=192).numpy()[0, 1] for hands in (palm, back)
    )
    for shown, hands, nearer in ((front_map, palm, True), (back_map, back, False)):
        middle = hand_points(hands, height=256, width=192)[0, 1, 10].astype(
            int
        )  # middle finger's second joint
        at_joint = shown[middle[1], middle[0]]
        depth = hand_points(hands, height=256, width=192)[0, 1]
        assert (depth[10, 2] > depth[0, 2]) == nearer
        assert (at_joint > 0.63) == nearer


def test_a_surface_nearer_to_the_viewer_is_brighter():
    hands = held("open", left=(0.75, 0.7, 0.2), right=(0.25, 0.7, 0.2))
    rotations, places = hands.axis_angles()
    shades = []
    for pitch in (-40.0, 0.0, 40.0):  # finger tips away from the viewer, level, towards
        turned = hand_rotations(np.array([[0.0, pitch, 0.0]]), np.array([HAND_SHAPES["open"]]), side="right")
        rotations[:, 1] = turned
        made = HandParameters.from_axis_angles(rotations, places, fps=25, source="a test")
        tip = hand_points(made, height=256, width=192)[0, 1, 11].astype(int)
        shades.append(draw_hand_maps(made, height=256, width=192).numpy()[0, 1, tip[1], tip[0]])
    assert shades[0] < shades[1] - 0.1 < shades[2] - 0.2


def test_hands_that_are_not_valid_are_not_drawn_and_no_hand_at_all_is_said(parameters):
    valid = np.ones((30, 2), dtype=bool)
    valid[4, 0] = False
    maps = draw_hand_maps(replace(parameters, valid_FH=valid), height=64, width=48)
    assert not maps[4, 0].any() and maps[4, 1].any() and maps[5, 0].any()
    with pytest.raises(PoseError, match="show no hand"):
        draw_hand_maps(replace(parameters, valid_FH=~np.ones((30, 2), bool)), height=64, width=48)


def test_maps_of_twice_the_size_show_the_same(parameters):
    small = draw_hand_maps(parameters[:4], height=128, width=96)
    large = draw_hand_maps(parameters[:4], height=256, width=192)
    shrunk = large.reshape(4, 3, 128, 2, 96, 2).mean(dim=(3, 5))
    assert (shrunk - small).abs().mean() < 0.01


def test_many_frames_are_drawn_as_few_are(parameters):
    whole = draw_hand_maps(parameters, height=320, width=240)  # more than fit at once
    np.testing.assert_array_equal(whole[20:22], draw_hand_maps(parameters[20:22], height=320, width=240))


def test_another_surface_can_be_drawn(parameters):
    thick = {
        side: replace(surface, vertices_V3=surface.vertices_V3 + 0.02 * surface.normals_V3)
        for side, surface in capsule_surfaces().items()
    }
    own, other = (draw_hand_maps(parameters[:2], height=128, width=96, surfaces=s) for s in (None, thick))
    assert (other[:, 2] > 0).sum() > 1.1 * (own[:, 2] > 0).sum()


# --- keypoints from parameters


def test_keypoints_of_parameters_are_the_puppets_own(clip, parameters):
    made = pose_from_parameters(parameters, height=128, width=96)
    np.testing.assert_allclose(made.left_hand_FKC, clip.pose.left_hand_FKC, atol=1e-3)
    np.testing.assert_allclose(made.right_hand_FKC, clip.pose.right_hand_FKC, atol=1e-3)
    np.testing.assert_array_equal(made.body_FKC[:, 7], made.left_hand_FKC[:, 0])
    np.testing.assert_array_equal(made.body_FKC[:, 4], made.right_hand_FKC[:, 0])


def test_points_outside_the_picture_and_hands_that_are_not_valid_are_unseen():
    vectors = resting_vectors(2)
    valid = np.array([[True, True], [False, True]])
    made = pose_from_parameters(HandParameters(vectors, valid, fps=25, source="x"), height=100, width=100)
    # at the corner (0, 0): the left hand points to the right, half of the right hand is outside
    assert made.left_hand_FKC[0, :, 2].any() and not made.left_hand_FKC[1].any()
    assert not made.right_hand_FKC[0, 8, 2]


# --- limbs


def walk(frames: int = 60) -> Pose:
    pose = Pose.from_packed(np.zeros((frames, 128, 3), np.float32), height=128, width=96)
    pose.body_FKC[:] = reference_portrait(3)[1].body_FKC
    pose.body_FKC[..., 2] = 1
    return pose


def test_a_spike_vanishes_and_a_step_stays():
    pose = walk()
    pose.body_FKC[:, 4, 0] = 20
    pose.body_FKC[30:, 4, 0] = 40  # a step
    pose.body_FKC[12:15, 4, 0] = 90  # a spike
    filtered = median_filtered(pose, frames=11).body_FKC
    assert filtered[:30, 4, 0].tolist() == [20] * 30
    assert filtered[30:, 4, 0].tolist() == [40] * 30
    np.testing.assert_array_equal(filtered[:, 7], pose.body_FKC[:, 7])


def test_the_median_is_that_of_a_loop_over_frames_and_unseen_points_stay_out_of_it():
    rng = np.random.default_rng(0)
    pose = walk(20)
    pose.body_FKC[..., :2] = rng.random((20, 18, 2)) * 90
    pose.body_FKC[..., 2] = rng.random((20, 18)) > 0.3
    filtered = median_filtered(pose, frames=7).body_FKC
    for frame in range(20):
        window = pose.body_FKC[max(0, frame - 3) : frame + 4, 4]
        seen = window[window[:, 2] >= 0.3, :2]
        if pose.body_FKC[frame, 4, 2]:
            np.testing.assert_allclose(filtered[frame, 4, :2], np.median(seen, axis=0), atol=1e-4)
        else:
            np.testing.assert_array_equal(filtered[frame, 4], pose.body_FKC[frame, 4])
    np.testing.assert_array_equal(filtered[..., 2], pose.body_FKC[..., 2])


def test_keypoint_maps_show_arms_and_legs_and_no_head():
    pose = walk(1)
    pose.body_FKC[0, 8:14, :2] = [(40, 110), (40, 118), (40, 125), (56, 110), (56, 118), (56, 125)]
    drawn = draw_keypoint_maps(pose).numpy()[0].max(axis=0)
    for point in (2, 3, 4, 5, 6, 7, 8, 10, 13):
        x, y = pose.body_FKC[0, point, :2].astype(int)
        assert drawn[min(y, 127), x] > 0.3
    assert not drawn[: int(pose.body_FKC[0, [2, 5], 1].min()) - 3].any()


# --- confidence


def test_confidence_is_the_mean_score_of_each_hand():
    pose = walk(2)
    pose.left_hand_FKC[0, :, 2] = np.linspace(0, 1, 21)
    pose.right_hand_FKC[1, :, 2] = 0.8
    np.testing.assert_allclose(hand_confidence(pose), [[0.5, 0], [0, 0.8]], atol=1e-6)
