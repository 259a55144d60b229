"""Recipes as files: those that come with the package, and what is refused in one sentence."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cyberhost_core.backbone.unet import sites
from cyberhost_core.checkpoints.file import Checkpoint, save_checkpoint
from cyberhost_core.cli.main import OK, UNUSABLE, main
from cyberhost_core.conditioners.drawn_maps import MapTraining
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.conditioners.values import REFERENCE
from cyberhost_core.conditioners.values import SOUND as HEARD
from cyberhost_core.config import Config
from cyberhost_core.errors import AudioError, ConfigError
from cyberhost_core.systems import cyberhost, emo2, paha
from cyberhost_core.systems.model import SystemModel, on_meta
from cyberhost_core.systems.named import ABLATIONS
from cyberhost_core.systems.published import published
from cyberhost_core.systems.spec import SlidingWindowsSpec, SystemSpec
from cyberhost_core.training.batches import BatchMaker, Drop, SamplingConfig
from cyberhost_core.training.first_stages import basic_modules, still_pictures
from cyberhost_core.training.losses.denoising import Denoising
from cyberhost_core.training.losses.face_details import FaceDetails
from cyberhost_core.training.losses.local_enhancement import LocalEnhancement
from cyberhost_core.training.losses.pose_presence import PosePresence
from cyberhost_core.training.losses.region_masks import RegionMasks
from cyberhost_core.training.recipes.entries import SHIPPED, shipped_names
from cyberhost_core.training.recipes.reading import read_recipe
from cyberhost_core.training.recipes.recipe import Recipe
from cyberhost_core.training.recipes.writing import changed_text, resolved_text
from cyberhost_core.training.stage import StageConfig

FROM_CHECKPOINTS = ("animate-anyone", "echomimic-v2", "hallo")
WHOLE = [name for name in shipped_names() if name not in FROM_CHECKPOINTS]
TINY_DROPS = (Drop(groups=(REFERENCE, HEARD), share=0.06), Drop(groups=(HEARD,), share=0.1))
TINY = {"betas": (0.9, 0.98), "ema_decay": 0.995, "save_every": 100, "validate_every": 200}
TINY_LOSSES = (
    LocalEnhancement(alpha=2.0, probability=1.0, below=1000, heatmap_weight=0.5),
    RegionMasks(hands_weight=0.005, face_weight=0.001),
    FaceDetails(weight=3.0),
)
EMO2_TINY_SAMPLING = SamplingConfig(
    clips=4,
    settings=(MapTraining(drop_keypoints=0.4),),
    drop=TINY_DROPS,
    drop_past=0.15,
    past_noise=0.2,
    timestep_power=0.6,
)

# Section 4.1 and appendix E of CyberHost, section 4.1 of EMO2, and decision 0003, as values.
EXPECTED = {
    "cyberhost": Recipe(
        system=cyberhost.paper(),
        image_system=basic_modules(cyberhost.paper()),
        image=StageConfig(
            name="image",
            frames=1,
            steps=100_000,
            learning_rate=1e-5,
            sampling=SamplingConfig(clips=12),
            losses=(LocalEnhancement(alpha=1, probability=0.5, below=500), RegionMasks()),
        ),
        video=StageConfig(
            name="video",
            frames=12,
            steps=100_000,
            learning_rate=1e-5,
            activation_checkpointing=True,
            sampling=SamplingConfig(clips=1),
            losses=(
                LocalEnhancement(alpha=1, probability=0.5, below=500),
                RegionMasks(hands_weight=0.005, face_weight=0.001),
            ),
        ),
    ),
    "tiny": Recipe(
        system=cyberhost.tiny(),
        image_system=still_pictures(cyberhost.tiny()),
        image=StageConfig(
            name="image",
            frames=1,
            steps=2000,
            learning_rate=1e-3,
            sampling=SamplingConfig(
                clips=24,
                settings=(MapTraining(movement_mix=(0.4, 0.25, 0.35)),),
                drop=TINY_DROPS,
                timestep_power=0.6,
            ),
            losses=TINY_LOSSES,
            **TINY,
        ),
        video=StageConfig(
            name="video",
            frames=12,
            steps=4000,
            learning_rate=8e-4,
            decay_fraction=0.5,
            sampling=SamplingConfig(
                clips=4,
                settings=(MapTraining(movement_mix=(0.5, 0.25, 0.25)),),
                drop=TINY_DROPS,
                drop_past=0.15,
                past_noise=0.2,
                timestep_power=0.6,
            ),
            losses=TINY_LOSSES,
            **TINY,
        ),
    ),
    "emo2": Recipe(
        system=emo2.paper(),
        image_system=basic_modules(emo2.paper()),
        image=StageConfig(
            name="image",
            frames=1,
            steps=100_000,
            learning_rate=1e-5,
            sampling=SamplingConfig(clips=32 // 4),
            losses=(Denoising(),),
        ),
        video=StageConfig(
            name="video",
            frames=24,
            steps=100_000,
            learning_rate=1e-5,
            activation_checkpointing=True,
            sampling=SamplingConfig(clips=4 // 4),
            frozen=("reference_net",),
            losses=(Denoising(), PosePresence()),
        ),
    ),
    "emo2-tiny": Recipe(
        system=emo2.tiny(),
        image_system=still_pictures(emo2.tiny()),
        image=StageConfig(
            name="image",
            frames=1,
            steps=2000,
            learning_rate=1e-3,
            sampling=EMO2_TINY_SAMPLING.derive(clips=24),
            losses=TINY_LOSSES,
            **TINY,
        ),
        video=StageConfig(
            name="video",
            frames=12,
            steps=4000,
            learning_rate=8e-4,
            decay_fraction=0.5,
            sampling=EMO2_TINY_SAMPLING,
            frozen=("reference_net",),
            losses=(*TINY_LOSSES, PosePresence(weight=0.1)),
            **TINY,
        ),
    ),
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    def written(text: str, *, name: str = "mine.yaml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return written


@pytest.fixture
def small_recipe(small_spec: SystemSpec, written: Callable[..., str]) -> str:
    """A whole system in a file, trained for two steps."""
    system = json.loads(small_spec.to_json())
    stage = "{steps: 2, frames: %d, warmup_steps: 0, precision: no, workers: 0}"
    text = f"system: {json.dumps(system)}\nimage: {stage % 1}\nvideo: {stage % 3}\n"
    return written(text, name="small.yaml")


def differences(one: Config, other: Config, at: str = "") -> set[str]:
    """Name the fields in which two values differ."""
    found = set()
    for name in type(one).model_fields:
        left, right = getattr(one, name), getattr(other, name)
        if left != right:
            nested = isinstance(left, Config) and type(left) is type(right)
            found |= differences(left, right, f"{at}{name}.") if nested else {f"{at}{name}"}
    return found


# What comes with the package


@pytest.mark.parametrize("name", EXPECTED)
def test_recipes_hold_the_papers_values(name: str) -> None:
    assert read_recipe(name) == EXPECTED[name]


@pytest.mark.parametrize("name", WHOLE)
def test_every_recipe_comes_back_from_its_resolved_form(name: str, written: Callable[..., str]) -> None:
    recipe = read_recipe(name)
    text = resolved_text(recipe)
    assert read_recipe(written(text)) == recipe
    assert "learning_rate" in text and "extends" not in text


@pytest.mark.parametrize("name", shipped_names())
def test_every_recipe_is_printed_as_it_was_written(
    name: str, written: Callable[..., str], capsys: pytest.CaptureFixture
) -> None:
    assert main(["train", "recipe", name]) == OK
    printed = capsys.readouterr().out
    assert printed == (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    assert printed.startswith("# ") and len(printed.splitlines()) < 60
    if name in WHOLE:
        assert read_recipe(written(printed)) == read_recipe(name)


def test_recipes_are_listed_with_what_they_are_for(capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "recipe"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == shipped_names()
    assert all(len(line.split(None, 1)[1]) > 20 for line in lines)


def test_every_ablation_of_the_papers_is_a_recipe_and_changes_nothing_else() -> None:
    ours = {"orthonormal-latents", "placeless-latents"}
    bases = {"emo2": emo2.ABLATIONS, "paha": paha.ABLATIONS}
    for ablation, change in ABLATIONS.items():
        base = next((name for name, own in bases.items() if ablation in own), "cyberhost")
        if ablation not in ours:
            recipe = read_recipe(f"{base}-{ablation}")
            assert recipe.system == change(read_recipe(base).system)
            if recipe.image:
                assert recipe.image_system == basic_modules(recipe.system)
            assert (recipe.image, recipe.video) == (read_recipe(base).image, read_recipe(base).video)


def test_without_parts_reweighting_the_error_is_plain() -> None:
    """PAHA's table 3."""
    recipe, whole = read_recipe("paha-no-parts-reweighting"), read_recipe("paha")
    assert set(recipe.video.losses) == {Denoising()}
    assert differences(recipe, whole) == {"video.losses"}


@pytest.mark.parametrize("name", ["paha", "paha-tiny"])
def test_a_recipe_may_have_no_first_stage_and_says_so_when_it_is_asked_for(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    assert recipe.image is None and recipe.image_system is None
    assert recipe.stage("video") == (recipe.system, recipe.video)
    with pytest.raises(ConfigError, match=f"'{name}' is trained in one stage, .* use 'train video'"):
        recipe.stage("image")
    written = tmp_path / "written.yaml"
    written.write_text(resolved_text(recipe), encoding="utf-8")
    assert read_recipe(str(written)) == recipe


def test_without_local_enhancement_the_error_is_plain_and_masks_are_learned_all_the_same() -> None:
    """Table 1."""
    recipe, whole = read_recipe("cyberhost-no-local-enhancement"), read_recipe("cyberhost")
    assert set(recipe.video.losses) == {Denoising(), RegionMasks()} == set(recipe.image.losses)
    assert differences(recipe, whole) == {"image.losses", "video.losses"}


@pytest.mark.parametrize("count", [1, 5, 10])
def test_region_attention_runs_at_as_many_sites_as_table_6_says(count: int) -> None:
    unet = read_recipe(f"cyberhost-top-{count}").system.unet
    attentions = [layer for layer in unet.layers if layer.kind == "region_attention"]
    assert {layer.region for layer in attentions} == {"face", "hands"}
    for layer in attentions:
        assert sum(layer.runs_at(site) for site in sites(unet)) == count
    assert len(sites(unet)) == 16, "all, in the whole system"


@pytest.mark.parametrize("spatial", [256, 1024])
def test_banks_have_the_sizes_that_figure_9_varies(spatial: int) -> None:
    layers = read_recipe(f"cyberhost-spatial-{spatial}").system.unet.layers
    attentions = [layer for layer in layers if layer.kind == "region_attention"]
    assert len(attentions) == 2
    for layer in attentions:
        assert {bank.axis: bank.shape for bank in layer.banks} == {
            "spatial": (1, spatial),
            "temporal": (1, 64),
        }


@pytest.mark.parametrize(("name", "mix"), [("reenactment", (0, 0, 1)), ("multimodal", (0, 1, 0))])
def test_other_drivers_differ_from_cyberhost_in_their_maps_alone(name: str, mix: tuple) -> None:
    """Appendix E trains them separately, and says no more."""
    recipe, base = read_recipe(name), read_recipe("cyberhost")
    assert differences(recipe, base) == {"image.sampling.settings", "video.sampling.settings"}
    for stage in (recipe.image, recipe.video):
        assert stage.sampling.settings == (MapTraining(movement_mix=mix),)


@pytest.mark.parametrize("name", ["reenactment", "multimodal"])
def test_other_drivers_draw_what_the_paper_says(
    name: str, small_spec: SystemSpec, make_store: Callable
) -> None:
    """A skeleton is no box of one colour; hands are drawn on the box that stands under them."""
    sampling = read_recipe(name).video.sampling.derive(clips=2)
    plain = sampling.derive(settings=())
    store = make_store(small_spec)
    drawn, box = (BatchMaker(store, small_spec, each, frames=3, seed=0)[0] for each in (sampling, plain))
    assert drawn.drive["maps"].shape[1] == 3 and box.drive["maps"].shape[1] == 1
    inside = box.drive["maps"].expand_as(drawn.drive["maps"])
    kept = (drawn.drive["maps"] == inside).float().mean()
    assert (kept > 0.5) == (name == "multimodal") and kept < 1


def test_talking_heads_have_no_hand_attention() -> None:
    """Section 4.2."""
    recipe = read_recipe("cyberhost-head")
    assert recipe.system == cyberhost.talking_head()
    assert differences(recipe, read_recipe("cyberhost")) >= {"system.name", "system.unet.layers"}
    assert (recipe.image, recipe.video) == (read_recipe("cyberhost").image, read_recipe("cyberhost").video)


# Systems of checkpoints


@pytest.mark.parametrize("name", FROM_CHECKPOINTS)
def test_a_public_models_recipe_wants_the_checkpoint_that_it_starts_from(name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"system of the checkpoint that it starts from; give that .* --from"
    ):
        read_recipe(name)


def test_the_system_is_that_of_the_checkpoint(small_spec: SystemSpec, tmp_path: Path) -> None:
    start = tmp_path / "start.safetensors"
    model = SystemModel(small_spec)
    save_checkpoint(start, Checkpoint(model=model, vae=None, audio_encoder=None, licence="", training={}))
    recipe = read_recipe("hallo", start=start)
    assert recipe.system == small_spec and recipe.image_system == basic_modules(small_spec)
    changed = read_recipe("hallo", ["system.changing.sound.window=3"], start=start)
    assert changed.system.listed(Sound)[0].window == 3


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hallo", "do not say how long the vectors of their faces were, which this system asks for; prep"),
        ("animate-anyone", "hold no CLIP vectors of their pictures, .*; prepare them with --clip-vision"),
        (
            "echomimic-v2",
            "but the system hears 19200 by 'whisper'; prepare them with --for",
        ),
    ],
)
def test_what_prepared_videos_cannot_train_is_refused_before_the_model_is_built(
    name: str,
    why: str,
    make_store: Callable,
    written: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    store = make_store(published(name).derive(height=64, width=64))
    mine = written(f"extends: {name}\nsystem: {name}\n")
    command = ["train", "video", str(store.folder), str(tmp_path / "run"), "--recipe", mine]
    assert main(command) == UNUSABLE
    said = capsys.readouterr().err
    assert re.search(why, said) and said.count("\n") == 1


def test_sound_of_another_network_or_another_hearing_is_refused(
    small_spec: SystemSpec, make_store: Callable
) -> None:
    store = make_store(small_spec)

    def batch(**changes: object) -> None:
        spec = small_spec.changing(Sound, lambda sound: sound.derive(**changes))
        BatchMaker(store, spec, SamplingConfig(), frames=3, seed=0)[0]

    with pytest.raises(AudioError, match=r"hold 6 numbers .* but the system hears 7 by 'wav2vec2'; prepare"):
        batch(feature_dim=7)
    with pytest.raises(AudioError, match=r"heard by 'wav2vec2', but the system hears 30 by 'whisper'; prep"):
        batch(hearing="whisper")


# Files and changes


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ("video.learning_rate=2e-5", "video.learning_rate", 2e-5),
        ("video.steps=7", "video.steps", 7),
        ("image.sampling.clips=3", "image.sampling.clips", 3),
        ("video.accumulate=4", "video.accumulate", 4),
        ("video.frames=16", "video.frames", 16),
        ("video.precision=no", "video.precision", "no"),
        ("video.precision=fp16", "video.precision", "fp16"),
        ("video.workers=0", "video.workers", 0),
        ("video.ema_decay=0.99", "video.ema_decay", 0.99),
        ("video.save_every=5", "video.save_every", 5),
        ("image.validate_every=6", "image.validate_every", 6),
        ("video.betas=[0.8, 0.9]", "video.betas", (0.8, 0.9)),
        ("video.decay=cosine", "video.decay", "cosine"),
        ("video.average_buffers=true", "video.average_buffers", True),
        ("video.frozen=[reference_net]", "video.frozen", ("reference_net",)),
        ("video.sampling.drop_past=0", "video.sampling.drop_past", 0),
        ("system.height=512", "system.height", 512),
        ("system.noise_limit=1.5", "system.noise_limit", 1.5),
        ("system.guidance={kind: dual, audio_scale: 3}", "system.guidance.audio_scale", 3),
        ("system.changing.dual.audio_scale=3", "system.guidance.audio_scale", 3),
    ],
)
def test_a_change_sets_one_field(change: str, field: str, value: object) -> None:
    before, recipe = read_recipe("cyberhost"), read_recipe("cyberhost", [change])
    found: object = recipe
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value and type(found) in {type(value), float}
    others = {name for name in differences(recipe, before) if not name.startswith("image_system.")}
    assert others <= {field}


def test_losses_settings_and_drops_are_changed_one_by_one() -> None:
    recipe = read_recipe(
        "cyberhost",
        [
            "video.losses.local_enhancement.alpha=2",
            "video.losses.region_masks=null",
            "video.losses.pose_presence={weight: 0.3}",
            "video.sampling.settings.drawn_maps.movement_mix=[0.5, 0.25, 0.25]",
            "video.sampling.drop.1.share=0.3",
        ],
    )
    assert recipe.video.losses == (LocalEnhancement(alpha=2), PosePresence(weight=0.3))
    assert recipe.video.sampling.settings == (MapTraining(movement_mix=(0.5, 0.25, 0.25)),)
    assert [drop.share for drop in recipe.video.sampling.drop] == [0.05, 0.3]
    assert recipe.image == read_recipe("cyberhost").image


def test_changes_go_into_what_a_file_leaves_out(written: Callable[..., str]) -> None:
    mine = written("system: cyberhost\nimage: {steps: 5, frames: 1}\nvideo: {steps: 5}\n")
    assert read_recipe(mine).video == StageConfig(name="video", steps=5)
    changed = read_recipe(
        mine, ["video.losses.region_masks.face_weight=0.1", "video.sampling.drop.0.share=0"]
    )
    assert changed.video.losses == (LocalEnhancement(), RegionMasks(face_weight=0.1))
    assert [drop.share for drop in changed.video.sampling.drop] == [0, 0.1]


def test_changes_are_written_as_a_file_that_means_the_same(
    written: Callable[..., str], capsys: pytest.CaptureFixture
) -> None:
    changes = ["system.ablations=[no-hand-ram]", "video.losses.local_enhancement.alpha=3", "video.steps=9"]
    mine = written(changed_text("tiny", changes))
    assert read_recipe(mine) == read_recipe("tiny", changes)
    again = written(changed_text(mine, ["video.steps=8"]), name="again.yaml")
    assert read_recipe(again) == read_recipe("tiny", [*changes, "video.steps=8"])
    command = ["train", "recipe", "tiny", *(word for change in changes for word in ("--set", change))]
    assert main(command) == OK
    assert capsys.readouterr().out == Path(mine).read_text(encoding="utf-8")


def test_a_file_extends_another_beside_it(written: Callable[..., str]) -> None:
    written("extends: tiny\nvideo: {steps: 10, learning_rate: 1e-3}\n", name="base.yaml")
    recipe = read_recipe(
        written("extends: base.yaml\nvideo: {steps: 20}\nsystem: {ablations: [no-face-ram]}\n")
    )
    assert (recipe.video.steps, recipe.video.learning_rate) == (20, 1e-3)
    assert recipe.system == cyberhost.without_face_ram(cyberhost.tiny())
    assert recipe.image == read_recipe("tiny").image


def test_a_whole_system_may_stand_in_a_file(small_recipe: str, small_spec: SystemSpec) -> None:
    recipe = read_recipe(small_recipe)
    assert recipe.system == small_spec
    assert recipe.image_system == basic_modules(small_spec)


STAGES = "image: {steps: 1, frames: 1}\nvideo: {steps: 1}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds null, but entries such as 'system' and 'video' were expected; print one"),
        ("system: [", "is no YAML: line 1: "),
        ("system: tiny\nsystem: emo2\n", "is no YAML: line 2: 'system' stands there twice"),
        (STAGES, "cannot be used: system is missing."),
        ("system: cyberhost\nimage: {steps: 1}\n", "cannot be used: video is missing."),
        (f"system: huge\n{STAGES}", "system is 'huge', but should be one of cyberhost, cyberhost-head, "),
        (f"system: 3\n{STAGES}", "system is 3, but should be a name or a mapping."),
        (
            f"system: cyberhost\nimage_system: all\n{STAGES}",
            "image_system is 'all', but should be one of bas",
        ),
        (
            f"system: cyberhost\nvideos: 3\n{STAGES}",
            "videos is not known; known are system, image_system, ima",
        ),
        (f"system: {{name: own}}\n{STAGES}", "system.unet is missing."),
        ("extends: tiny\nvideo: 3\n", "video is 3, but should be a mapping."),
        ("extends: tiny\nvideo: {name: image}\n", "video.name is not known: a stage is named by its entry."),
        ("extends: tiny\nvideo: {rate: 1}\n", "video.rate is not known; known are steps, learning_rate, "),
        ("extends: tiny\nvideo: {steps: 0}\n", "video.steps is 0, but should be greater than or equal to 1."),
        (
            "extends: tiny\nvideo: {save_every: 0}\n",
            "video.save_every is 0, but should be greater than or eq",
        ),
        (
            "extends: tiny\nvideo: {learning_rate: fast}\n",
            'learning_rate is "fast", but should be a valid num',
        ),
        (
            "extends: tiny\nvideo: {precision: fp8}\n",
            "precision is \"fp8\", but should be 'no', 'bf16' or 'f",
        ),
        ("extends: tiny\nvideo: {workers: -1}\n", "video.workers is -1, but should be greater than or equal"),
        ("extends: tiny\nvideo: {ema_decay: 1}\n", "video.ema_decay is 1, but should be less than 1."),
        (
            "extends: tiny\nvideo: {frames: 40}\n",
            "video.frames is 40, but should be at most 28: the motion mo",
        ),
        ("extends: tiny\nvideo: {losses: {plain: {}}}\n", "losses.plain is not known; known are "),
        (
            "extends: tiny\nvideo: {losses: {denoising: 2}}\n",
            "losses.denoising is 2, but should be a mapping.",
        ),
        (
            "extends: tiny\nvideo: {losses: {region_masks: {face: 1}}}\n",
            "region_masks.face is not known; known a",
        ),
        (
            "extends: tiny\nvideo: {sampling: {clip: 1}}\n",
            "sampling.clip is not known; known are clips, setting",
        ),
        (
            "extends: tiny\nvideo: {sampling: {drop: [{groups: [sounds], share: 1}]}}\n",
            'drop.0.groups.0 is "so',
        ),
        (
            "extends: tiny\nvideo: {sampling: {drop: {7: {share: 1}}}}\n",
            "drop.7 does not exist: the list has 2",
        ),
        (
            "extends: tiny\nvideo: {sampling: {settings: {drawn_maps: {movement_mix: [1]}}}}\n",
            "movement_mix.1 is m",
        ),
        (
            "extends: tiny\nvideo: {sampling: {settings: {drawn_maps: {movement_mix: [0, 0, 0]}}}}\n",
            "drawn_maps.movement_mix does not fit: ",
        ),
        (
            "extends: tiny\nsystem: {ablations: [no-legs]}\n",
            "ablations names 'no-legs', but there are no-latents",
        ),
        (
            "extends: emo2\nsystem: {ablations: [no-hand-ram]}\n",
            "'no-hand-ram', but 'emo2' has nothing of that",
        ),
        ("extends: tiny\nsystem: {ablations: no-hand-ram}\n", "should be a list, such as [no-hand-ram]."),
        (
            "extends: tiny\nsystem: {changing: {tail: {}}}\n",
            "changing.tail is no part of 'cyberhost-tiny'; its p",
        ),
        (
            "extends: tiny\nsystem: {changing: {sound: {windows: 3}}}\n",
            "system.changing.sound.windows is not known; known are kind, feature_dim, token_dim, window, ",
        ),
        (
            "extends: tiny\nsystem: {changing: {sound: {window: wide}}}\n",
            "system.changing.sound does not fit: conditioners.5 ",
        ),
        (
            "extends: tiny\nsystem: {changing: [sound]}\n",
            'changing is ["sound"], but should be a mapping of kin',
        ),
        (
            "extends: tiny\nvideo: {losses: [{kind: [1]}]}\n",
            'losses is [{"kind": [1]}], but should be a mapping.',
        ),
        (
            "extends: tiny\nsystem: {long_video: {length: 3}}\n",
            "long_video.chain.length is not known; known are kind, frames, kept, pinned, opening.",
        ),
        (
            "extends: tiny\nsystem: {long_video: {kind: sliding_windows, frames: 2, overlap: 3}}\n",
            "system.long_video.sliding_windows does not fit: windows of 2 frames cannot overlap by 3.",
        ),
        (
            "extends: tiny\nsystem: {changing: {region_attention: {sites: [roof]}}}\n",
            "names 'roof', but the site",
        ),
        ("extends: nobody\n", "There is no recipe 'nobody': it is neither a file nor one of those that come"),
        ("extends: mine.yaml\n", "mine.yaml extends itself; let it extend another, or nothing."),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence_that_names_it_and_the_entry(
    text: str, said: str, written: Callable[..., str], capsys: pytest.CaptureFixture
) -> None:
    mine = written(text)
    assert main(["train", "recipe", mine, "--resolved"]) == UNUSABLE
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert mine in error or "nobody" in error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "video.steps",
            "--set was given 'video.steps', but FIELD=VALUE was expected, such as video.learning_r",
        ),
        ("=3", "--set was given '=3', but FIELD=VALUE was expected"),
        ("video.steps=[", "The value in --set video.steps=[ is no YAML: "),
        (
            "video.stepps=3",
            "--set video.stepps=3 cannot be used: video.stepps is not known; known are steps, ",
        ),
        (
            "video.steps=many",
            '--set video.steps="many" cannot be used: video.steps is "many", but should be a ',
        ),
        ("extends=emo2", '--set extends="emo2" cannot be used: extends can only stand in a file.'),
        (
            "steps=3",
            "--set steps=3 cannot be used: steps is not known; known are system, image_system, image",
        ),
        (
            "video.losses.region_masks.face_weight=x",
            'losses.region_masks.face_weight is "x", but should be a ',
        ),
        (
            "video.frames=99",
            "--set video.frames=99 cannot be used: video.frames is 99, but should be at most",
        ),
        ("system.ablations=[unified-latents, no-latents-bank, unified-latents]", "no spatial and temporal"),
    ],
)
def test_a_change_that_cannot_be_used_is_refused_in_a_sentence_that_names_it(
    change: str, said: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(["train", "recipe", "tiny", "--set", change]) == UNUSABLE
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_value_of_another_kind_takes_the_others_place() -> None:
    windows = "system.long_video={kind: sliding_windows, frames: 24, overlap: 4}"
    assert read_recipe("tiny", [windows]).system.long_video == SlidingWindowsSpec(frames=24, overlap=4)


def test_a_file_that_is_no_text_is_no_recipe(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "mine.yaml"
    for written, said in (
        (b"\xff\xfe\x00", "cannot be read"),
        (b"a: \x00", "is no YAML: unacceptable chara"),
    ):
        path.write_bytes(written)
        assert main(["train", "recipe", str(path), "--resolved"]) == UNUSABLE
        error = capsys.readouterr().err
        assert f"The recipe {path} {said}" in error and error.count("\n") == 1


def test_a_folder_is_no_recipe(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "recipe", str(tmp_path)]) == UNUSABLE
    assert "it is neither a file nor one of those that come with the package" in capsys.readouterr().err


# The command


@pytest.mark.slow
def test_a_recipe_of_ones_own_is_trained_with_changes_and_goes_on(
    small_recipe: str,
    small_spec: SystemSpec,
    make_store: Callable,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    store, out = make_store(small_spec), tmp_path / "run"
    command = ["train", "video", str(store.folder), str(out), "--recipe", small_recipe]
    changes = ["--set", "video.learning_rate=1e-2", "--set", "system.ablations=[no-hand-clarity]"]
    assert main([*command, *changes, "--until", "1"]) == OK
    assert main([*command, *changes, "--set", "video.save_every=1"]) == OK, "what moves no bit may change"
    weights = load_file(json.loads(capsys.readouterr().out.splitlines()[-1])["weights"])
    assert not any(name.startswith("clarity_embedding") for name in weights)
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2]
    kept = read_recipe(str(out / "recipe.yaml"))
    assert kept.video.learning_rate == 1e-2 and kept.video.steps == 2
    assert weights.keys() == on_meta(kept.system).state_dict().keys()
    assert main([*command, *changes, "--set", "video.clip_norm=2"]) == UNUSABLE
    assert "was started with another stage.clip_norm" in capsys.readouterr().err


def test_a_file_and_changes_are_trained_and_kept_and_steps_are_a_short_cut(
    small_recipe: str, small_spec: SystemSpec, make_store: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = ["train", "image", str(make_store(small_spec).folder), str(out), "--recipe", small_recipe]
    assert main([*command, "--set", "image.sampling.clips=3", "--steps", "1"]) == OK
    kept = read_recipe(str(out / "recipe.yaml"))
    assert (kept.image.steps, kept.image.sampling.clips, kept.video.steps) == (1, 3, 2)
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == [1] and (out / "model.safetensors").exists()


def test_latents_of_another_autoencoder_are_refused(
    small_recipe: str,
    small_spec: SystemSpec,
    make_store: Callable,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    store = make_store(small_spec)
    change = "system.unet.latent_channels=16"
    command = ["train", "video", str(store.folder), str(tmp_path / "run"), "--recipe", small_recipe]
    assert main([*command, "--set", change]) == UNUSABLE
    assert "have 4 channels, but 'small' is trained on 16; prepare the videos with" in capsys.readouterr().err


@pytest.mark.slow
def test_a_worker_more_changes_no_bit(
    small_recipe: str, small_spec: SystemSpec, make_store: Callable, tmp_path: Path
) -> None:
    store, learned = make_store(small_spec), []
    for workers in ("0", "2"):
        out = tmp_path / workers
        command = ["train", "image", str(store.folder), str(out), "--recipe", small_recipe]
        assert main([*command, "--set", f"image.workers={workers}"]) == OK
        learned.append(load_file(out / "model.safetensors"))
    assert all(torch.equal(value, learned[1][name]) for name, value in learned[0].items())
