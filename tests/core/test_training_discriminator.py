"""The pose discriminator finds what it was shown, pushes latents there, and comes back from its file."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cyberhost_core.cli.main import main
from cyberhost_core.controls.limb_heatmaps import HAND_MAIN, POSE_CHANNELS, pose_heatmaps
from cyberhost_core.controls.skeleton_map import BODY_LIMBS, HAND_BONES
from cyberhost_core.errors import CheckpointError
from cyberhost_core.training.discriminator_run import (
    DISCRIMINATOR_LOOP,
    FramesConfig,
    estimated,
    measured,
    train_pose_discriminator,
)
from cyberhost_core.training.pose_discriminator import (
    PoseDiscriminator,
    PoseDiscriminatorConfig,
    load_pose_discriminator,
    save_pose_discriminator,
    truth,
)
from cyberhost_core.types import PACKED_POINTS, Pose

SMALL = PoseDiscriminatorConfig(latent_channels=4, widths=(8, 16), norm_groups=4)


def random_pose(frames: int = 2, *, height: int = 40, width: int = 48, seed: int = 0) -> Pose:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (frames, PACKED_POINTS, 3)) * (width, height, 1)
    return Pose.from_packed(points.astype(np.float32), height=height, width=width)


def line_value(x: float, y: float, start: np.ndarray, end: np.ndarray, *, sigma: float) -> float:
    """The gaussian of the distance to the nearest of many points along a segment."""
    if min(start[2], end[2]) < 0.3:
        return 0.0
    along = np.linspace(0, 1, 301)[:, None]
    places = (1 - along) * start[:2] + along * end[:2]
    nearest = np.hypot(places[:, 0] - x, places[:, 1] - y).min()
    return float(np.exp(-(nearest**2) / (2 * sigma**2)))


def test_heatmaps_are_those_of_a_loop_over_cells():
    pose = random_pose(1)
    maps = pose_heatmaps(pose, height=4, width=5, sigma_cells=0.8).numpy()
    assert maps.shape == (1, POSE_CHANNELS, 4, 5) and POSE_CHANNELS == 18 + 2 * 11 + 17 + 2
    scale = np.array([5 / 48, 4 / 40, 1])
    for frame in range(1):
        body, left, right = (
            points[frame] * scale for points in (pose.body_FKC, pose.left_hand_FKC, pose.right_hand_FKC)
        )
        points = [*body, *left[list(HAND_MAIN)], *right[list(HAND_MAIN)]]
        segments = [[(point, point)] for point in points]
        segments += [[(body[a], body[b])] for a, b in BODY_LIMBS]
        segments += [[(hand[a], hand[b]) for a, b in HAND_BONES] for hand in (left, right)]
        for channel, lines in enumerate(segments):
            for y in range(4):
                for x in range(5):
                    wanted = max(line_value(x + 0.5, y + 0.5, a, b, sigma=0.8) for a, b in lines)
                    assert maps[frame, channel, y, x] == pytest.approx(wanted, abs=1e-3)


def test_the_loss_is_the_root_of_the_mean_square_of_each_frame():
    model = PoseDiscriminator(SMALL)
    latents, maps = torch.randn(3, 4, 5, 6), truth(random_pose(3), height=5, width=6)
    model.requires_grad_(False)
    off = (model(latents) - maps).numpy().astype(np.float64)
    wanted = [np.sqrt(np.square(frame).sum() / frame.size) for frame in off]
    np.testing.assert_allclose(model.losses(latents, maps), wanted, rtol=1e-4)
    assert float(model.loss(latents, maps)) == pytest.approx(np.mean(wanted), rel=1e-4)


def test_a_discriminator_that_learnt_a_picture_moves_latents_towards_it_and_stays_as_it_is():
    """Two poses, two latents: from the one latent, the loss of the other pose leads towards the other."""
    torch.manual_seed(0)
    latents = torch.randn(2, 4, 6, 7)
    maps = truth(random_pose(2), height=6, width=7)
    model = PoseDiscriminator(SMALL)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        model.loss(latents + 0.1 * torch.randn_like(latents), maps).backward()
        optimizer.step()
    model.eval().requires_grad_(False)
    right, swapped = float(model.loss(latents, maps)), float(model.loss(latents, maps.flip(0)))
    assert right < 0.5 * swapped
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x0 = latents[:1].clone().requires_grad_(True)
    descent = torch.optim.Adam([x0], lr=0.05)
    for _ in range(60):
        descent.zero_grad()
        model.loss(x0, maps[1:]).backward()
        descent.step()
    assert model.loss(x0, maps[1:]).item() < 0.6 * swapped
    assert torch.dot((x0.detach() - latents[:1]).flatten(), (latents[1:] - latents[:1]).flatten()) > 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("size", [(32, 24), (88, 64), (7, 5)])
def test_latents_of_any_size_are_taken(size):
    maps = PoseDiscriminator(SMALL)(torch.zeros(1, 4, *size))
    assert maps.shape == (1, POSE_CHANNELS, *size)


def test_it_comes_back_from_its_file_and_other_files_are_refused(tmp_path):
    model, path = PoseDiscriminator(SMALL), tmp_path / "d.safetensors"
    save_pose_discriminator(path, model)
    back, x = load_pose_discriminator(path), torch.randn(1, 4, 5, 6)
    assert torch.equal(back(x), model(x)) and not any(p.requires_grad for p in back.parameters())
    assert not back.training
    (tmp_path / "torn.safetensors").write_bytes(path.read_bytes()[:100])
    for name, words in (("none", "There is no pose discriminator"), ("torn", "cannot be read")):
        with pytest.raises(CheckpointError, match=f"{words}.*train pose-discriminator"):
            load_pose_discriminator(tmp_path / f"{name}.safetensors")
    from safetensors.torch import save_file

    save_file({"a": x}, tmp_path / "other.safetensors", {"format": "cyberhost-1"})
    with pytest.raises(CheckpointError, match=r"holds no pose discriminator.*'cyberhost-1'"):
        load_pose_discriminator(tmp_path / "other.safetensors")


def test_half_of_the_frames_stay_clear_and_the_others_differ_by_no_more_than_was_said():
    latents = torch.randn(200, 4, 8, 8)
    config = FramesConfig(most_noise=0.5, most_blur_cells=0.0)
    made = estimated(latents, config, np.random.default_rng(0))
    off = (made - latents).flatten(1).std(dim=1)
    assert 0.35 < (off == 0).float().mean() < 0.65
    assert off.max() < 0.6 and off.max() > 0.35


def test_training_that_was_stopped_goes_on_in_the_same_bits_and_refuses_another_store(
    small_spec, make_store, tmp_path
):
    store = make_store(small_spec)
    loop = DISCRIMINATOR_LOOP.derive(steps=3, precision="no")
    network = SMALL.derive(latent_channels=store[0].latents_FCHW.shape[1])

    def train(out: str, **changes):
        given = {"loop": loop, "network": network, "show": lambda _step, _losses: None, **changes}
        return train_pose_discriminator(store.folder, tmp_path / out, **given)

    straight = load_file(train("straight"))
    train("stopped", until=2)
    resumed = load_file(train("stopped"))
    assert all(torch.equal(resumed[name], value) for name, value in straight.items())
    with pytest.raises(CheckpointError, match="started with another seed; resume with the same command"):
        train("stopped", seed=1)
    make_store(small_spec, videos=2)  # in the same folder
    with pytest.raises(CheckpointError, match=r"started with another store\.buckets; resume with the same"):
        train("stopped")


def test_the_command_trains_goes_on_where_it_was_and_says_what_it_measured(
    small_spec, make_store, tmp_path, capsys
):
    store = make_store(small_spec)
    out = tmp_path / "run"
    command = ["train", "pose-discriminator", str(store.folder), str(out), "--steps", "3"]
    assert main([*command, "--until", "2"]) == 0
    assert main(command) == 0
    path = json.loads(capsys.readouterr().out.splitlines()[-1])["weights"]
    model = load_pose_discriminator(type(out)(path))
    assert model.config.latent_channels == store[0].latents_FCHW.shape[1]
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3]
    values = measured(model, store, frames=2)
    assert 0 <= values["held_out_found"] <= 1 and values["held_out_heatmaps"] > 0
    assert main(["train", "pose-discriminator", str(tmp_path), str(out)]) == 2
    assert "holds no prepared videos" in capsys.readouterr().err
