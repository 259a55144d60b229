"""Classifiers from a store to a file: a model's own clips, pairs, training, and how often they are right."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from cyberhost_core.backbone.part_classifier import PartClassifiers
from cyberhost_core.checkpoints.classifiers import (
    classifiers_of,
    load_classifiers,
    pack_classifiers,
    save_classifiers,
)
from cyberhost_core.checkpoints.file import Checkpoint, save_checkpoint
from cyberhost_core.data.generated import GeneratedClips
from cyberhost_core.data.store import PreparedVideos, StoreError
from cyberhost_core.diffusion.schedule import NoiseSchedule
from cyberhost_core.errors import CheckpointError, ConfigError
from cyberhost_core.exams.guidance.classifier_exam import ClassifierExam, examine_classifiers
from cyberhost_core.guidance.step import FACE, NON_FACE
from cyberhost_core.sampling.denoise import SamplingOptions
from cyberhost_core.systems.spec import LongVideoSpec, SystemSpec
from cyberhost_core.training.classifiers.accuracy import TIMESTEPS, classifier_accuracy
from cyberhost_core.training.classifiers.batches import ClassifierSampling, PairMaker, cut_evenly
from cyberhost_core.training.classifiers.learner import ClassifierLearner, conditions_of, looked
from cyberhost_core.training.classifiers.negatives import NegativesConfig, prepare_generated
from cyberhost_core.training.classifiers.recipes import read_classifier_recipe
from cyberhost_core.training.classifiers.run import (
    ClassifierFiles,
    _numbers_of_sound,
    _started,
    train_classifiers,
)

if TYPE_CHECKING:
    from cyberhost_core.systems.model import SystemModel

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")

FRAMES = 8  # two windows of four
SMALL = [
    "classifier={width: 16, heads: 2, blocks: 1}",
    "loop.steps=2",
    "loop.warmup_steps=0",
    "loop.workers=0",
    "loop.precision='no'",
    "sampling.pairs=2",
    "sampling.lengths=[4, 8]",
]
OWN = [*SMALL, "classifier.encoder=own"]


class Bench:
    """A small system, its checkpoint, a store, and clips that it made."""

    def __init__(self, spec: SystemSpec, build: Callable, store: PreparedVideos, folder: Path) -> None:
        self.spec, self.store, self.folder = spec, store, folder
        self.model: SystemModel = build(spec)
        self.checkpoint = folder / "small.safetensors"
        whole = Checkpoint(model=self.model, vae=None, audio_encoder=None, licence="", training={})
        save_checkpoint(self.checkpoint, whole)
        self.generate(folder / "generated")
        self.generated = GeneratedClips(folder / "generated")

    def generate(self, out: Path, *, clips: int = 3, frames: int = FRAMES, seed: int = 0) -> None:
        config = NegativesConfig(clips=clips, frames=frames)
        options = SamplingOptions(
            schedule=self.spec.schedule.derive(steps=1), guidance=self.spec.guidance, seed=seed
        )
        prepare_generated(self.model, self.store, out, config, options, say=lambda *_: None)

    def pairs(self, **changes: object) -> PairMaker:
        config = ClassifierSampling(pairs=2, lengths=(4, 8)).derive(**changes)
        return PairMaker(self.store, self.generated, self.spec, config, seed=0)

    @property
    def files(self) -> ClassifierFiles:
        return ClassifierFiles(
            checkpoint=self.checkpoint,
            store=self.store.folder,
            generated=self.generated.folder,
            out=self.folder / "run",
        )


@pytest.fixture
def bench(small_spec: SystemSpec, build: Callable, make_store: Callable, tmp_path: Path) -> Bench:
    spec = small_spec.derive(long_video=LongVideoSpec(frames=4, kept=4))
    return Bench(spec, build, make_store(spec), tmp_path)


def test_generated_clips_are_the_models_own_and_say_what_they_were_made_for(bench: Bench) -> None:
    index = bench.generated.index
    assert (index.system, index.frames, index.videos) == ("small", FRAMES, len(bench.store))
    first, second = (bench.generated.latents(number) for number in (0, 1))
    assert first.shape == (FRAMES, 4, 4, 3) and np.isfinite(first).all()
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, bench.store[index.clips[0].video].latents_FCHW[:FRAMES])


def test_making_clips_goes_on_where_it_was_stopped_and_ends_in_the_same_bytes(bench: Bench) -> None:
    again = bench.folder / "again"
    bench.generate(again)
    lost = again / "clips" / "000001.safetensors"
    whole, kept = lost.read_bytes(), again / "clips" / "000002.safetensors"
    lost.unlink()
    before = kept.stat().st_mtime_ns
    bench.generate(again)
    assert lost.read_bytes() == whole
    assert kept.stat().st_mtime_ns == before


def test_a_pair_is_a_real_clip_and_its_generated_twin_under_the_same_sound(bench: Bench) -> None:
    batch = bench.pairs(lengths=(8,))[0]
    assert batch.latents.shape == (4, 8, 4, 4, 3) and batch.windows == 2
    assert batch.label.tolist() == [1, 0, 1, 0]
    assert batch.timestep[0] == batch.timestep[1] and batch.timestep[2] == batch.timestep[3]
    sound = batch.drive["audio"].unflatten(0, (4, 2))
    assert torch.equal(sound[0], sound[1]) and torch.equal(sound[2], sound[3])
    assert not torch.equal(batch.latents[0], batch.latents[1])
    real = batch.latents[0].numpy().astype(np.float16)
    assert any(
        np.array_equal(real, video.latents_FCHW[start : start + 8])
        for video in bench.store
        for start in range(len(video) - 7)
    )


def test_batches_depend_on_seed_and_step_alone(bench: Bench) -> None:
    one, again, other = bench.pairs()[3], bench.pairs()[3], bench.pairs()[4]
    assert torch.equal(one.noise, again.noise) and torch.equal(one.latents, again.latents)
    assert one.latents.shape != other.latents.shape or not torch.equal(one.noise, other.noise)


@pytest.mark.parametrize(("length", "windows"), [(4, 1), (8, 2), (6, 2), (120, 30), (7, 7)])
def test_clips_are_cut_into_as_few_equal_windows_as_the_system_can_take(length: int, windows: int) -> None:
    spans = cut_evenly(length, at_most=4)
    assert len(spans) == windows and [frame for span in spans for frame in span] == list(range(length))


def test_masked_clips_show_a_classifier_its_part_alone(bench: Bench, fill: Callable) -> None:
    """Region masking: what the other part does, must not change the answer."""
    batch = bench.pairs(lengths=(4,))[0]
    plan = read_classifier_recipe("tiny", SMALL)
    told = conditions_of(bench.model, batch)
    config = plan.classifier.of(bench.spec, sound=told.audio_NWD[0].numel())
    from cyberhost_core.backbone.ops import TORCH_OPS

    classifiers = PartClassifiers(config, ops=TORCH_OPS)
    fill(classifiers)
    batch = replace(batch, face=(torch.arange(4) < 2).float().view(1, 1, 1, 4, 1).expand(4, 1, 1, 4, 3))
    above = batch.latents.clone()
    above[..., :2, :] += 1  # the face's rows

    def answers(part: str, latents: torch.Tensor, *, alone: bool) -> torch.Tensor:
        shown = torch.full((4,), alone)
        classifier = classifiers.of(part)
        with torch.no_grad():
            seen = looked(
                classifier, part, latents, batch, told=told, denoiser=bench.model.denoiser, alone=shown
            )
            return classifier.judge(seen)

    torch.testing.assert_close(
        answers(NON_FACE, above, alone=True), answers(NON_FACE, batch.latents, alone=True)
    )
    for part, alone in ((FACE, True), (NON_FACE, False)):
        changed, own = answers(part, above, alone=alone), answers(part, batch.latents, alone=alone)
        assert not torch.allclose(changed, own, atol=1e-4)


def test_training_moves_the_classifiers_and_nothing_of_the_system(bench: Bench) -> None:
    before = {name: value.clone() for name, value in bench.model.state_dict().items()}
    plan = read_classifier_recipe("tiny", OWN)
    steps = []
    path = train_classifiers(plan, bench.files, show=lambda step, losses: steps.append((step, set(losses))))
    assert steps == [(1, {FACE, NON_FACE}), (2, {FACE, NON_FACE})]
    classifiers = load_classifiers(path, bench.spec)
    own = classifiers.face.encoder.state_dict()
    assert any(not torch.equal(value, before[f"denoiser.{name}"]) for name, value in own.items())
    close = [float((value - before[f"denoiser.{name}"]).abs().max()) for name, value in own.items()]
    assert max(close) < 0.01, "they start from the denoiser's way down"
    packed = bench.folder / "packed.safetensors"
    pack_classifiers(path, packed)
    assert packed.stat().st_size < 0.5 * path.stat().st_size
    for name, value in load_classifiers(packed, bench.spec).state_dict().items():
        torch.testing.assert_close(value, classifiers.state_dict()[name], atol=0.05, rtol=0.05)


def test_classifiers_on_a_lent_encoder_are_small_files_and_learn_from_other_sounds_too(bench: Bench) -> None:
    losses: list[set[str]] = []
    path = train_classifiers(
        read_classifier_recipe("tiny", SMALL),
        bench.files,
        show=lambda _step, these: losses.append(set(these)),
    )
    assert losses[0] == {FACE, NON_FACE, "face_agreement", "non_face_agreement"}
    own = bench.folder / "own"
    whole = train_classifiers(
        read_classifier_recipe("tiny", OWN), replace(bench.files, out=own), show=lambda *_: None
    )
    assert path.stat().st_size < 0.5 * whole.stat().st_size
    names = load_classifiers(path, bench.spec).state_dict()
    assert not any(".encoder." in name for name in names)


def test_losses_reach_both_classifiers_and_not_what_reads_for_them(bench: Bench) -> None:
    batch = bench.pairs()[0]
    plan = read_classifier_recipe("tiny", OWN)
    model = _started(plan, bench.model, sound=_numbers_of_sound(bench.model, bench.pairs()))
    learner = ClassifierLearner(model, bench.model, NoiseSchedule(bench.spec.schedule), masked=0.8)
    sum(learner(batch).values()).backward()
    assert all(parameter.grad is None for parameter in bench.model.parameters())
    for classifier in (model.face, model.non_face):
        assert all(layer.weight.grad is not None for layer in classifier.head)
        assert classifier.encoder.conv_in.weight.grad is not None


def test_accuracy_of_classifiers_that_know_nothing_is_that_of_a_coin(bench: Bench) -> None:
    """Both classifiers answer every clip alike: half of the answers are right, and no order is."""
    plan = read_classifier_recipe("tiny", SMALL)
    model = _started(plan, bench.model, sound=_numbers_of_sound(bench.model, bench.pairs())).eval()
    for classifier in (model.face, model.non_face):
        torch.nn.init.zeros_(classifier.head[1].weight)
        torch.nn.init.ones_(classifier.head[1].bias)
        torch.nn.init.zeros_(classifier.agreement.scale)
    found = classifier_accuracy(
        model, bench.model, bench.store, bench.generated, frames=4, clips=2, timesteps=(100,)
    )
    kinds = {(one.part, one.against) for one in found}
    assert {part for part, _ in kinds} == {FACE, NON_FACE}
    assert {against for _, against in kinds} == {"generated", *(f"shifted by {by}" for by in (2, 5, 10))}
    assert all((one.right, one.ordered) == (0.5, 0.0) for one in found)


def test_the_exam_has_a_row_per_part_and_kind_and_reads_the_classifiers_beside_a_checkpoint(
    bench: Bench,
) -> None:
    model = _started(
        read_classifier_recipe("tiny", SMALL),
        bench.model,
        sound=_numbers_of_sound(bench.model, bench.pairs()),
    )
    save_classifiers(classifiers_of(bench.checkpoint), model, system="small", training={})
    report = examine_classifiers(
        bench.checkpoint,
        classifiers=None,
        store=bench.store.folder,
        generated=bench.generated.folder,
        exam=ClassifierExam(clips=2, frames=4),
    )
    rows = [line for line in report.to_text().splitlines() if line.startswith(("face ", "non_face "))]
    kinds = ["generated", *(f"shifted by {by}" for by in (2, 5, 10))]
    assert [sum(f" {kind} " in row for row in rows) for kind in kinds] == [2, 2, 2, 2]
    found = json.loads(report.to_json())
    assert {row["timestep"] for row in found["rows"]} == set(TIMESTEPS)
    assert all(0 <= row["ordered"] <= 1 for row in found["rows"])
    assert found["settings"] == {"clips": 2, "frames": 4, "seed": 0}


def test_classifiers_of_another_system_and_clips_of_other_videos_are_refused(
    bench: Bench, make_store: Callable, tmp_path: Path
) -> None:
    path = train_classifiers(read_classifier_recipe("tiny", SMALL), bench.files, show=lambda *_: None)
    wider = bench.spec.derive(name="wider", unet=bench.spec.unet.derive(channels=(16, 48)))
    with pytest.raises(CheckpointError, match=r"judge clips of 'small', and the checkpoint is of 'wider'"):
        load_classifiers(path, wider)
    with pytest.raises(CheckpointError, match=r"no classifiers of parts .* 'cyberhost train classifiers'"):
        load_classifiers(tmp_path / "gone.safetensors", bench.spec)
    with pytest.raises(StoreError, match=r"12 frames are to be drawn, but .* have 8"):
        bench.pairs(lengths=(12,))
    index = bench.generated.index
    text = index.derive(videos=index.videos + 1).to_json()
    (bench.generated.folder / "index.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"were made for a store of \d+ videos, but .* has \d+; give"):
        bench.pairs()


def test_recipes_hold_the_papers_numbers_and_refuse_what_they_do_not_know() -> None:
    """Section 5.1, appendix B.3.3."""
    paper = read_classifier_recipe("paha")
    loop, pairs = paper.loop, paper.sampling
    assert (loop.steps, loop.learning_rate, loop.warmup_steps) == (100_000, 1e-4, 5000)
    assert (2 * pairs.pairs, pairs.lengths, pairs.masked) == (16, (30, 60, 90, 120), 0.8)
    assert paper.classifier.encoder == "own", "a copy that is trained"
    with pytest.raises(ConfigError, match=re.escape("--set sampling.masked=2")):
        read_classifier_recipe("paha", ["sampling.masked=2"])
