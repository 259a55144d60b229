"""The twins keep the real networks' formats, learn the same from the same seed, and know what they should."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cyberhost_core.bundled import FACE_IDENTITY, POSE_DETECTOR
from cyberhost_core.cli import train as train_commands
from cyberhost_core.cli.main import main
from cyberhost_core.errors import CheckpointError
from cyberhost_core.perception.face_identity import FaceIdentity
from cyberhost_core.perception.pose import PoseDetector, decode, image_from_crop
from cyberhost_core.perception.puppet_networks import fold_norms
from cyberhost_core.perception.speech import SpeechFeatures
from cyberhost_core.perception.wholebody import LEFT_HAND, RIGHT_HAND, wholebody_from_pose
from cyberhost_core.puppets.speech import bundled_utterances
from cyberhost_core.puppets.split import HELD_OUT_IDENTITIES
from cyberhost_core.puppets.world import HEIGHT, WIDTH, render_video
from cyberhost_core.training.twins import (
    face,
    loops,
    pose,
    pose_damage,
    pose_pictures,
    speech,
    speech_sounds,
)
from cyberhost_core.training.twins.onnx_export import export_onnx
from cyberhost_core.training.twins.puppet_stills import Stills


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def stills() -> Stills:
    """Eight frames each of three held-out puppets."""
    utterance = bundled_utterances("held_out")[0]
    videos = [
        render_video(seed, utterance=utterance, performance_seed=seed, frames=40)
        for seed in HELD_OUT_IDENTITIES[:3]
    ]
    keys = slice(4, None, 5)
    return Stills(
        frames_NYXC=np.concatenate([video.frames_FYXC[keys] for video in videos]),
        points_NKC=np.concatenate([video.pose[keys].packed_FKC() for video in videos]),
        identity_N=np.repeat(HELD_OUT_IDENTITIES[:3], 8),
    )


@pytest.fixture(scope="module")
def voices() -> list[speech_sounds.Voice]:
    return [speech_sounds.Voice.of(utterance.wave_T) for utterance in bundled_utterances("train")[:3]]


# Runs that were stopped


SMALL_SPEECH = speech.SpeechTwinConfig(hidden=16, layers=1, intermediate=16, channels=8, position_kernel=8)
SHORT_LOOP = loops.SPEECH_LOOP.derive(steps=6, warmup_steps=2, save_every=2, precision="no")
SHORT_SOUNDS = speech.SoundSampling(crops=2, crop_secs=1.0)
SMALL_FACE = face.FaceTwinConfig(channels=(8, 8, 8, 8), vector=16)
SMALL_POSE = pose.PoseTwinConfig(channels=(8, 8, 8, 8))
FEW_FACES = face.FaceSampling(people=3, pictures=2)


@dataclass(frozen=True)
class Part:
    """A twin at a size that trains in seconds: train(out, **changes of what train_..._twin takes)."""

    train: Callable[..., Path | None]
    data: str  # what a run that goes on calls its data
    other_data: dict[str, object]
    weights: str  # the file inside OUT, or beside it


@pytest.fixture
def quick_export(monkeypatch) -> None:
    """Write an empty ONNX file: the tests of signatures export, which takes seconds."""

    def export(network: nn.Module, path: Path, **names) -> None:
        path.write_bytes(b"")

    for module in (face, pose):
        monkeypatch.setattr(module, "export_onnx", export)


@pytest.fixture(params=["speech", "face", "pose"])
def part(request, stills, voices, quick_export) -> Part:
    other = replace(stills, frames_NYXC=255 - stills.frames_NYXC)
    if request.param == "speech":

        def train(out, voices=voices, **changes):
            given = {"loop": SHORT_LOOP, "sampling": SHORT_SOUNDS, "config": SMALL_SPEECH, **changes}
            return speech.train_speech_twin(voices, out / "speech", **given)

        return Part(train, "voices", {"voices": voices[:2]}, "speech/model.safetensors")
    if request.param == "face":

        def train(out, stills=stills, **changes):
            given = {"loop": SHORT_LOOP, "sampling": FEW_FACES, "config": SMALL_FACE, **changes}
            return face.train_face_twin(stills, out / "face.onnx", **given)

        return Part(train, "stills", {"stills": other}, "face.safetensors")

    def train(out, stills=stills, **changes):
        given = {"loop": SHORT_LOOP, "pictures": 2, "config": SMALL_POSE, **changes}
        return pose.train_pose_twin(stills, out / "pose.onnx", **given)

    return Part(train, "stills", {"stills": other}, "pose.safetensors")


def kill_at(killed_after: int):
    def show(step: int, losses: dict[str, float]) -> None:
        if step == killed_after:
            raise KeyboardInterrupt

    return show


def test_a_twin_whose_training_was_killed_goes_on_and_ends_in_the_same_bits(part, tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    part.train(straight)
    with pytest.raises(KeyboardInterrupt):
        part.train(killed, show=kill_at(5))  # saved after step 4
    steps: list[int] = []
    assert part.train(killed, show=lambda step, _: steps.append(step)) is not None
    assert steps == [5, 6]
    expected, found = load_file(straight / part.weights), load_file(killed / part.weights)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_twins_run_lies_beside_it_until_the_twin_is_written(part, tmp_path):
    assert part.train(tmp_path, until=2) is None
    (run,) = tmp_path.iterdir()
    assert run.suffix == ".run" and [path.name for path in run.iterdir()] == ["run.safetensors"]
    out = part.train(tmp_path)
    assert out is not None and out.exists()
    assert run == out.with_name(f"{out.name}.run") and not run.exists()


def test_a_twins_run_with_other_settings_seed_or_data_is_refused(part, tmp_path):
    part.train(tmp_path, until=2)
    longer = SHORT_LOOP.derive(steps=9)
    for named, change in (("loop", {"loop": longer}), ("seed", {"seed": 1}), (part.data, part.other_data)):
        with pytest.raises(CheckpointError, match=rf"started with another {named}.*; resume with the same"):
            part.train(tmp_path, **change)


@pytest.mark.parametrize("name", ["speech", "face", "pose"])
def test_a_command_that_was_stopped_goes_on_when_it_is_given_again(
    name, stills, voices, quick_export, tmp_path, monkeypatch, capsys
):
    """The commands as they are, but for fewer voices and puppets and small twins in 32 bits."""
    loop = f"{name.upper()}_LOOP"
    monkeypatch.setattr(loops, loop, getattr(loops, loop).derive(precision="no"))
    monkeypatch.setattr(train_commands, "SPEECH_VOICES", 2)
    monkeypatch.setattr(train_commands, "STILL_PUPPETS", 3)
    monkeypatch.setattr(speech, "SpeechTwinConfig", lambda: SMALL_SPEECH)
    monkeypatch.setattr(speech, "SoundSampling", lambda: SHORT_SOUNDS)
    monkeypatch.setattr(face, "FaceTwinConfig", lambda: SMALL_FACE)
    monkeypatch.setattr(pose, "PoseTwinConfig", lambda: SMALL_POSE)
    cache = tmp_path / "cache"
    cache.mkdir()
    for number in range(2):
        np.save(cache / f"train-{number:05d}.npy", (voices[number].wave_T * 32767).astype(np.int16))
    for number in range(3):
        rows = slice(8 * number, 8 * number + 8)
        np.savez(cache / f"{number:07d}.npz", frames=stills.frames_NYXC[rows], points=stills.points_NKC[rows])

    def command(out: Path) -> list[str]:
        return ["train", name, str(out), "--cache", str(cache), "--steps", "2"]

    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    assert main(command(straight)) == 0
    assert main([*command(stopped), "--until", "1"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(straight)]
    assert "give the command again to go on" in said.err
    assert not stopped.exists()
    assert main(command(stopped)) == 0
    assert not list(tmp_path.glob("*.run"))
    found, expected = (
        load_file(out / "model.safetensors" if name == "speech" else out.with_suffix(".safetensors"))
        for out in (stopped, straight)
    )
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[key], value) for key, value in expected.items())


# Speech


def test_the_speech_twin_is_a_wav2vec2_folder_below_two_megabytes(tmp_path, voices):
    torch.manual_seed(0)
    network = speech.SpeechLearner(speech.SpeechTwinConfig()).model.eval()
    speech.save_speech_twin(network, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    assert (tmp_path / "model.safetensors").stat().st_size < 2_000_000
    loaded = type(network).from_pretrained(tmp_path).eval()
    assert loaded.dtype == torch.float32
    features = SpeechFeatures.from_folder(tmp_path)
    wave_T = voices[0].wave_T
    heard = features.extract(wave_T)
    assert heard.shape == (speech_sounds.steps_of(len(wave_T)), features.size)
    assert features.size == (4 + 2) * 64
    torch.testing.assert_close(heard, speech.listen(loaded, wave_T), atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(heard, speech.listen(network, wave_T), atol=2e-2, rtol=2e-2)


def test_the_speech_twin_hears_in_steps_of_wav2vec2():
    config = speech.SpeechTwinConfig().network()
    assert np.prod(config.conv_stride) == 320
    assert list(config.conv_kernel) == [10, 3, 3, 3, 3, 2, 2]
    assert (speech_sounds.steps_of(16000), speech_sounds.steps_of(32000)) == (49, 99)


def test_the_same_draw_gives_the_same_sounds_and_another_gives_others(voices):
    def draw(seed: int):
        return speech_sounds.draw_sounds(voices, rng=np.random.default_rng(seed), count=4, secs=1.0)

    waves, targets = draw(1)
    assert waves.shape == (4, 16000)
    assert targets.shape == (4, 49, speech_sounds.TARGETS)
    torch.testing.assert_close(waves.square().mean(-1), torch.ones(4), atol=0.05, rtol=0)
    assert torch.equal(waves, draw(1)[0])
    assert torch.equal(targets, draw(1)[1])
    assert not torch.equal(waves, draw(2)[0])


def test_a_tone_lights_the_mel_band_it_lies_in():
    time = torch.arange(16000) / 16000
    for hz in (300, 1000, 4000):
        mel = speech_sounds.spectral_targets(torch.sin(2 * torch.pi * hz * time)[None] * 2**0.5)[0, 10, :-1]
        centres = np.argmax(speech_sounds.mel_filters().numpy(), axis=0) * 8000 / 400
        assert int(mel.argmax()) == int(np.abs(centres - hz).argmin())


def test_a_hum_is_voiced_and_a_hiss_is_not():
    pulses = torch.zeros(16000)
    pulses[::128] = 1.0  # 125 Hz
    hiss = torch.from_numpy(np.random.default_rng(0).standard_normal(16000, dtype=np.float32))
    voicing = speech_sounds.spectral_targets(speech_sounds.normalised(torch.stack([pulses, hiss])))[
        ..., -1
    ].mean(1)
    assert voicing[0] > 2 * voicing[1]


def test_mouth_targets_follow_the_crop_that_is_heard(voices):
    """In a crop from another place or at another speed, the mouth still opens where the mels are loud."""
    rng = np.random.default_rng(5)
    loud, opening = [], []
    for _ in range(6):
        _, targets = speech_sounds.draw_sounds(voices, rng=rng, count=1, secs=2.0)
        loud.append(targets[0, :, : speech_sounds.MELS - 8].mean(-1))
        opening.append(targets[0, :, speech_sounds.MELS + 1])
    assert np.corrcoef(torch.cat(loud), torch.cat(opening))[0, 1] > 0.6


def test_speech_training_repeats_itself_and_improves(tmp_path, voices):
    loop = loops.SPEECH_LOOP.derive(steps=25)

    def train(name: str) -> tuple[list[float], dict]:
        losses: list[float] = []
        speech.train_speech_twin(
            voices,
            tmp_path / name,
            loop=loop,
            sampling=SHORT_SOUNDS,
            config=SMALL_SPEECH,
            seed=4,
            show=lambda _, values: losses.append(values["hearing"]),
        )
        return losses, load_file(tmp_path / name / "model.safetensors")

    first, weights = train("first")
    again, same = train("again")
    assert first == again
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert np.mean(first[-5:]) < np.mean(first[:5])


# Faces


def test_contrast_is_equation_2_of_supervised_contrastive_learning():
    torch.manual_seed(0)
    vectors, identity = torch.randn(6, 5), torch.tensor([0, 0, 1, 1, 1, 0])
    z = (vectors / vectors.norm(dim=1, keepdim=True)).double().numpy()
    total = 0.0
    for i in range(6):
        others = [a for a in range(6) if a != i]
        positives = [p for p in others if identity[p] == identity[i]]
        below = sum(np.exp(z[i] @ z[a] / face.TEMPERATURE) for a in others)
        total -= np.mean([np.log(np.exp(z[i] @ z[p] / face.TEMPERATURE) / below) for p in positives])
    assert float(face.contrast(vectors, identity)) == pytest.approx(total / 6, rel=1e-4)


def test_surroundings_change_and_the_middle_of_a_face_does_not():
    faces = torch.rand(8, 3, 112, 112)
    moved = face.strange_surroundings(faces, rng=np.random.default_rng(0))
    assert torch.equal(moved[..., 40:80, 40:80], faces[..., 40:80, 40:80])
    changed = (moved[..., :4, :4] != faces[..., :4, :4]).flatten(1).any(1)
    assert 3 <= int(changed.sum()) <= 8


def randomised(network: nn.Module) -> nn.Module:
    """Give batch norms statistics, so that folding them has something to fold."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


def test_the_face_twin_has_the_signature_of_arcface(tmp_path, stills):
    twin = randomised(face.FaceTwin(face.FaceTwinConfig()))
    assert sum(p.numel() for p in twin.parameters()) <= 400_000
    folded = fold_norms(twin)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    path = tmp_path / "face.onnx"
    face.save_face_twin(folded, path)

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,), (found,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, list(given.shape[1:])) == ("input.1", "tensor(float)", [3, 112, 112])
    assert (found.name, list(found.shape[1:])) == ("683", [512])
    faces = torch.from_numpy(face.aligned_faces(stills)[0][:3]).float() / 127.5 - 1
    out = session.run(None, {given.name: faces.numpy()})[0]
    np.testing.assert_allclose(out, twin(faces).detach().numpy(), atol=2e-3)
    vector = FaceIdentity(path).embed(stills.frames_NYXC[0], stills.poses().face_FKC[:1])
    assert vector.shape == (512,)
    same = FaceIdentity(path.with_suffix(".safetensors"))
    assert same.embed(stills.frames_NYXC[0], stills.poses().face_FKC[:1]) @ vector > 0.9999


def test_an_exported_file_holds_half_precision_weights_and_no_paths(tmp_path):
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    path = tmp_path / "small.onnx"
    export_onnx(network, path, example=torch.zeros(2, 64), input_name="a.1", output_names=["b"])
    stored = {
        str(weight.data_type) for weight in onnx.load(path).graph.initializer if np.prod(weight.dims) > 100
    }
    assert stored == {str(onnx.TensorProto.FLOAT16)}
    content = path.read_bytes()
    assert b".py" not in content
    assert b"site-packages" not in content


# Poses


def test_the_shares_of_a_point_average_to_its_place():
    points = torch.tensor([[[100.0, 200.0, 1], [4.0, 4.0, 1], [283.9, 379.9, 1], [57.3, 11.1, 0]]])
    cells, shares = pose.target_cells(points)
    torch.testing.assert_close(shares.sum(-1), torch.ones(1, 4))
    x = (cells[..., :4] % pose.COLUMNS + 0.5) * pose.CELL_PX
    y = (cells[..., :4] // pose.COLUMNS + 0.5) * pose.CELL_PX
    mean = torch.stack([(x * shares[..., :4]).sum(-1), (y * shares[..., :4]).sum(-1)], dim=-1)
    torch.testing.assert_close(mean[0, :3], points[0, :3, :2], atol=1e-3, rtol=0)
    assert cells[0, 3, 4] == pose.ROWS * pose.COLUMNS
    assert shares[0, 3].tolist() == [0, 0, 0, 0, 1]


def test_the_loss_is_lowest_at_the_shares_themselves():
    points = torch.tensor([[[100.0, 203.0, 1], [57.3, 11.1, 0]]])
    cells, shares = pose.target_cells(points)
    best = torch.full((1, 2, pose.ROWS * pose.COLUMNS + 1), 1e-9).scatter(-1, cells, shares + 1e-9).log()
    entropy = -(shares * (shares + 1e-12).log()).sum(-1).mean()
    assert float(pose.finding_loss(best, points)) == pytest.approx(float(entropy), abs=1e-3)
    assert float(pose.finding_loss(best.roll(1, dims=-1), points)) > float(entropy) + 1


class Certain(pose.PoseTwin):
    """A twin that knows the answer, for testing what the outputs make of it."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__(pose.PoseTwinConfig(channels=(8, 8, 8, 8)))
        self.answer = logits

    def logits(self, pictures_NCYX: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return self.answer


def test_certain_points_decode_within_a_pixel_and_unseen_ones_score_low():
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.uniform((5, 5, 1), (280, 375, 1), (1, 133, 3)).astype(np.float32))
    points[:, 100:, 2] = 0
    cells, shares = pose.target_cells(points)
    logits = torch.full((1, 133, pose.ROWS * pose.COLUMNS + 1), -20.0).scatter(
        -1, cells, (shares + 1e-9).log()
    )
    simcc_x, simcc_y = Certain(logits)(torch.zeros(1))
    assert (simcc_x.shape, simcc_y.shape) == ((1, 133, 576), (1, 133, 768))
    found = decode(simcc_x.numpy(), simcc_y.numpy())
    assert np.abs(found[0, :100, :2] - points[0, :100, :2].numpy()).max() <= 1.0
    assert found[0, :100, 2].min() > 0.8
    assert found[0, 100:, 2].max() < 0.1
    nothing_known = decode(*(out.numpy() for out in Certain(torch.zeros_like(logits))(torch.zeros(1))))
    assert nothing_known[..., 2].max() < 0.1


def test_the_pose_twin_has_the_signature_of_dwpose(tmp_path, stills):
    twin = randomised(pose.PoseTwin(pose.PoseTwinConfig()))
    assert sum(p.numel() for p in twin.parameters()) <= 1_200_000
    path = tmp_path / "pose.onnx"
    pose.save_pose_twin(fold_norms(twin), path)
    assert path.stat().st_size < 3_000_000
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, list(given.shape[1:])) == ("input", "tensor(float)", [3, 384, 288])
    shapes = {found.name: list(found.shape[1:]) for found in session.get_outputs()}
    assert shapes == {"simcc_x": [133, 576], "simcc_y": [133, 768]}
    picture = torch.rand(1, 3, 384, 288)
    for out, expected in zip(session.run(None, {"input": picture.numpy()}), twin(picture), strict=True):
        np.testing.assert_allclose(out, expected.detach().numpy(), atol=5e-3)
    assert len(PoseDetector(path).detect(stills.frames_NYXC[:2])) == 2
    assert len(PoseDetector(path.with_suffix(".safetensors")).detect(stills.frames_NYXC[:2])) == 2


def test_framed_points_land_where_their_pixels_do(stills):
    """A bright dot painted on a point is found at the framed point, tilted and scaled."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        place = pose_pictures.random_framing((HEIGHT, WIDTH), rng=rng)
        frame = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
        frame[0, 60, 50] = 255
        picture = pose_pictures.warp(frame, place[None], height=384, width=288)[0, 0]
        framed = pose_pictures.framed_points(np.array([[50.0, 60.0, 1.0]]), place)[0]
        y, x = np.unravel_index(int(picture.argmax()), picture.shape)
        assert framed[2] == 1
        np.testing.assert_allclose(framed[:2], (x, y), atol=1.5)


def test_points_outside_the_frame_are_unseen():
    place = image_from_crop(np.array([[0, 0, WIDTH, HEIGHT]]), padding=1.0)[0]
    points = np.array([[-1.0, 10, 1], [10, 128.5, 1], [10, 10, 0], [10, 10, 1]])
    assert pose_pictures.framed_points(points, place)[:, 2].tolist() == [0, 0, 0, 1]


def test_an_erased_hand_is_unseen_and_looks_different(stills, monkeypatch):
    monkeypatch.setattr(pose_damage, "HAND_ERASED", 1.0)
    points = wholebody_from_pose(stills.poses())
    rng = np.random.default_rng(0)
    for at in range(len(stills)):
        frame, spoilt = stills.frames_NYXC[at].copy(), points[at].copy()
        pose_damage.erase_hands(frame, spoilt, rng=rng)
        for hand in (LEFT_HAND, RIGHT_HAND):
            seen = points[at, hand, 2] > 0
            assert not spoilt[hand, 2].any()
            x, y = points[at, hand][seen, :2].astype(int).T
            assert not seen.any() or (frame[y, x] != stills.frames_NYXC[at][y, x]).mean() > 0.3


def test_nobody_means_no_points(stills, monkeypatch):
    monkeypatch.setattr(pose_pictures, "NOBODY", 1.0)
    pictures, points = pose_pictures.draw_pictures(stills, rng=np.random.default_rng(0), count=6)
    assert pictures.shape == (6, 3, 384, 288)
    assert not points[..., 2].any()


# The bundled twins, on puppets that nothing was trained on


def test_the_bundled_pose_twin_finds_fingers_within_a_pixel(stills):
    found = PoseDetector(POSE_DETECTOR).detect(stills.frames_NYXC, padding=1.0)
    truth = stills.poses()
    for part, limit_px in (("left_hand_FKC", 1.0), ("right_hand_FKC", 1.0), ("face_FKC", 0.6)):
        known, guess = getattr(truth, part), getattr(found, part)
        there = known[..., 2] > 0
        errors = np.linalg.norm(known[..., :2] - guess[..., :2], axis=-1)[there]
        assert errors.mean() < limit_px
        assert (guess[..., 2][there] >= 0.3).mean() > 0.95


def test_the_bundled_pose_twin_sees_nobody_in_an_empty_room():
    rooms = np.stack([np.full((HEIGHT, WIDTH, 3), colour, np.uint8) for colour in (0, 90, 200)])
    found = PoseDetector(POSE_DETECTOR).detect(rooms)
    assert found.packed_FKC()[..., 2].max() < 0.3


def test_the_bundled_face_twin_knows_puppets_apart(stills):
    vectors = FaceIdentity(FACE_IDENTITY).embed_frames(stills.frames_NYXC, stills.poses().face_FKC)
    cosines = vectors @ vectors.T
    same = stills.identity_N[:, None] == stills.identity_N[None]
    itself = np.eye(len(same), dtype=bool)
    assert cosines[same & ~itself].min() > cosines[~same].max()
