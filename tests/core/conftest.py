"""CyberHost's architecture at a size that runs in milliseconds, for the tests of the core.

small_spec      a SystemSpec: two stages, the coarser without attention, as in the paper
build           spec -> model whose every weight is random, so that no part is silent
clips           spec -> everything that drives some clips, random
hub             a server that huggingface_hub takes for the Hugging Face hub
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cyberhost_core.backbone.conditions import Conditions
from cyberhost_core.backbone.latents_bank import BankConfig
from cyberhost_core.backbone.map_encoder import MapEncoderConfig
from cyberhost_core.backbone.motion_module import MotionModuleConfig
from cyberhost_core.backbone.region_attention import RegionAttentionConfig
from cyberhost_core.backbone.transformer import (
    FeedForwardConfig,
    InlineAudioConfig,
    ReferenceResidualConfig,
    SelfAttentionConfig,
    SpatialTransformerConfig,
)
from cyberhost_core.backbone.unet import UNetConfig
from cyberhost_core.conditioners.conditioner import InputSize
from cyberhost_core.conditioners.drawn_maps import DrawnMaps
from cyberhost_core.conditioners.hand_clarity import HandClarity
from cyberhost_core.conditioners.motion_frames import MotionFrames
from cyberhost_core.conditioners.reference_features import ReferenceFeatures
from cyberhost_core.conditioners.region_identity import RegionIdentity
from cyberhost_core.conditioners.sound import Sound
from cyberhost_core.conditioners.values import NOTHING, REFERENCE, SOUND, Drive, Encoded
from cyberhost_core.data.store import (
    Bucket,
    PreparedVideo,
    PreparedVideos,
    StoreIndex,
    write_index,
    write_video,
)
from cyberhost_core.diffusion.schedule import ScheduleSpec
from cyberhost_core.hands.parameters import HandParameters
from cyberhost_core.systems.model import SystemModel
from cyberhost_core.systems.spec import LongVideoSpec, SystemSpec
from cyberhost_core.types import PACKED_POINTS, Pose

if TYPE_CHECKING:
    from .small_hub import SmallHub

# Inputs that are normal; all others lie in 0..1.
UNBOUNDED = {"latents", "noised", "past", "audio", "face_vector", "image_vector"}


@pytest.fixture
def small_spec() -> SystemSpec:
    banks = (BankConfig(axis="spatial", spatial=6, rows=2), BankConfig(axis="temporal", temporal=3))
    regions = tuple(
        RegionAttentionConfig(region=region, width=16, heads=2, banks=banks, identity_dim=12, mask_width=4)
        for region in ("face", "hands")
    )
    transformer = SpatialTransformerConfig(
        heads=2,
        layers=(
            SelfAttentionConfig(),
            ReferenceResidualConfig(),
            InlineAudioConfig(token_dim=10),
            FeedForwardConfig(),
        ),
    )
    motion = MotionModuleConfig(heads=2)
    maps = MapEncoderConfig(patch=4, widths=(8, 8))
    return SystemSpec(
        name="small",
        unet=UNetConfig(
            channels=(16, 32),
            attention_stages=(True, False),
            resnets_per_stage=1,
            norm_groups=4,
            layers=(transformer, *regions, motion),
            plain_layers=(motion,),
        ),
        conditioners=(
            ReferenceFeatures(skeleton=maps),
            MotionFrames(),
            RegionIdentity(
                token_dim=12,
                face_tokens=2,
                hand_encoder=MapEncoderConfig(patch=8, widths=(8, 8, 8), depth=2),
            ),
            DrawnMaps(encoder=maps),
            Sound(feature_dim=6, token_dim=10),
            HandClarity(),
        ),
        schedule=ScheduleSpec(
            prediction="v_prediction", beta_schedule="squaredcos_cap_v2", zero_snr=True, steps=2
        ),
        long_video=LongVideoSpec(kept=10),
        height=32,
        width=24,
    )


@pytest.fixture
def fill() -> Callable[[nn.Module], None]:
    """Give every weight a random value of ordinary size, those that start at zero too."""

    def fill(module: nn.Module, *, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, value in module.named_parameters():
                noise = torch.randn(value.shape, generator=generator)
                if value.ndim > 1:
                    value.copy_(noise if name.endswith("latents") else noise * value[0].numel() ** -0.5)
                else:
                    value.copy_(0.2 * noise + ("norm" in name and name.endswith("weight")))

    return fill


@pytest.fixture
def build(fill: Callable[..., None]) -> Callable[..., SystemModel]:
    def build(spec: SystemSpec, *, seed: int = 0) -> SystemModel:
        model = SystemModel(spec)
        fill(model, seed=seed)
        return model.eval().requires_grad_(False)

    return build


@dataclass
class Clips:
    """Random input for B clips of F frames, and the model's reading of it."""

    model: SystemModel
    frames: int
    latents: Tensor
    timestep: Tensor
    portrait: dict[str, Tensor]
    drive: dict[str, Tensor]
    past: Tensor

    def read(self, clips: slice = slice(None)) -> Encoded:
        return self.model.read({name: value[clips] for name, value in self.portrait.items()})

    def driven(self, clips: slice = slice(None), *, motion: Encoded = NOTHING) -> Drive:
        return Drive(
            frames=self.frames,
            clips=len(self.latents[clips]),
            values={name: value[clips] for name, value in self.drive.items()},
            motion=motion,
        )

    def conditions(
        self,
        clips: slice = slice(None),
        *,
        having: tuple[bool, ...] | None = None,
        motion: bool = False,
        silent: bool = False,
    ) -> Conditions:
        """Join what drives the clips; having: which of them have their reference; silent: none is heard."""
        reference = self.read(clips)
        past = self.model.follow(self.past[clips], reference) if motion else NOTHING
        drive = self.driven(clips, motion=past)
        without_sound = frozenset({SOUND}) if silent else frozenset()
        missing = [
            without_sound if has else without_sound | {REFERENCE} for has in having or (True,) * drive.clips
        ]
        return self.model.conditions(reference, drive, missing=missing)

    def predict(self, conditions: Conditions, clips: slice = slice(None)) -> Tensor:
        return self.model.denoiser(self.latents[clips].flatten(0, 1), self.timestep[clips], conditions)


@pytest.fixture
def clips() -> Callable[..., Clips]:
    def clips(model: SystemModel, *, count: int = 2, frames: int = 3, seed: int = 1) -> Clips:
        spec = model.spec
        latents = (spec.unet.latent_channels, spec.height // 8, spec.width // 8)

        def drawn(name: str, *shape: int) -> Tensor:
            """Draw by name, so that two systems are told the same wherever both ask for it."""
            generator = torch.Generator().manual_seed(seed + zlib.crc32(name.encode()))
            draw = torch.randn if name in UNBOUNDED else torch.rand
            return draw(count, *shape, generator=generator)

        size = InputSize(unet=spec.unet, frames=frames, height=spec.height, width=spec.width)
        portrait, drive = {"latents": drawn("latents", *latents)}, {}
        for conditioner in spec.conditioners:
            shapes = conditioner.shapes(size)
            portrait |= {name: drawn(name, *shape) for name, shape in shapes.portrait.items()}
            drive |= {name: drawn(name, *shape) for name, shape in shapes.drive.items()}
        if "face_vector" in portrait:
            portrait["face_vector"] = nn.functional.normalize(portrait["face_vector"])
        if "maps" in drive:
            drive["maps"] = drive["maps"][:, :1]  # one that stands still
        return Clips(
            model=model,
            frames=frames,
            latents=drawn("noised", frames, *latents),
            timestep=drawn("timestep") * 999,
            portrait=portrait,
            drive=drive,
            past=drawn("past", spec.past_frames, *latents),
        )

    return clips


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """Let every test choose its own precision: accelerate keeps the first one of a process."""
    yield
    state = sys.modules.get("accelerate.state")
    if state is not None:
        state.AcceleratorState._reset_state()


def moving_hands(frames: int, *, seed: int) -> HandParameters:
    """Hands that wander through the picture, all joints a little bent."""
    rng = np.random.default_rng(seed)
    rotations = 0.2 * rng.standard_normal((frames, 2, 16, 3))
    places = rng.uniform(0.3, 0.7, (frames, 2, 3)) * (1, 1, 0)
    return HandParameters.from_axis_angles(rotations, places, fps=25.0, source="test")


@pytest.fixture
def make_video() -> Callable[..., PreparedVideo]:
    """Prepare a video of noise: latents, keypoints inside the picture, sound, crops."""

    def make_video(spec: SystemSpec, *, frames: int = 24, seed: int = 0) -> PreparedVideo:
        rng = np.random.default_rng(seed)
        size = (spec.unet.latent_channels, spec.height // 8, spec.width // 8)
        (feature_dim,) = [sound.feature_dim for sound in spec.listed(Sound)] or [1]
        points = rng.uniform(0.1, 0.9, (frames, PACKED_POINTS, 3)) * (spec.width, spec.height, 1)
        points[..., 2] = 1
        return PreparedVideo(
            latents_FCHW=rng.standard_normal((frames, *size)).astype(np.float16),
            pose=Pose.from_packed(points.astype(np.float32), height=spec.height, width=spec.width),
            hands=moving_hands(frames, seed=seed),
            hand_confidence_FH=rng.uniform(0.5, 1, (frames, 2)).astype(np.float32),
            audio_FD=rng.standard_normal((frames, feature_dim)).astype(np.float16),
            clarity_F4=rng.uniform(0, 40, (frames, 4)).astype(np.float32),
            picture_db=float(rng.uniform(28, 32)),
            reference_R=np.array([0, frames // 2]),
            hand_crops_RHCYX=rng.integers(0, 256, (2, 2, 3, 128, 128), dtype=np.uint8),
            face_vectors_RD=rng.standard_normal((2, 512)).astype(np.float32),
        )

    return make_video


@pytest.fixture
def make_store(tmp_path: Path, make_video: Callable[..., PreparedVideo]) -> Callable[..., PreparedVideos]:
    def make_store(spec: SystemSpec, *, videos: int = 3, wide: int = 0, frames: int = 24) -> PreparedVideos:
        """Write videos of the system's size, and some that are as wide as those are high."""
        folder, buckets = tmp_path / "store", []
        lying = spec.derive(height=spec.width, width=spec.height)
        for kind, count, shown in (("video", videos, spec), ("wide", wide, lying)):
            ids = tuple(f"{kind}-{number}" for number in range(count))
            for number, name in enumerate(ids):
                write_video(folder, name, make_video(shown, frames=frames, seed=number))
            if ids:
                buckets.append(Bucket(height=shown.height, width=shown.width, ids=ids))
        write_index(folder, StoreIndex(fps=25.0, buckets=tuple(buckets)))
        return PreparedVideos(folder)

    return make_store


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[SmallHub]":
    """Serve the catalogue's imitations to this process, which has neither token nor cache of its user's."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra fetch")
    from .small_hub import SmallHub, imitations

    hub = SmallHub({repository: dict(files) for repository, files in imitations().items()})
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)  # HF_ENDPOINT is read once, when it is imported
    where = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", where)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 20)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)  # between two tries
    yield hub
    hub.close()
