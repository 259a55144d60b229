"""What a layer may read besides its input: one value, made once per segment.

Rows: a batch holds B clips (in guidance, B passes over the same clip) of F frames each, folded to N = B * F
rows. What is absent is empty: no reference features, no motion frames, no tokens. A layer then adds nothing.

empty -> each conditioner adds what it brings -> the layers read
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor

from ..errors import ConfigError

# What some layers cannot do without, and some conditioner must therefore bring.
SOUND_TOKENS, SOUND_MASKS, IMAGE_TOKENS = "sound tokens", "sound masks", "image tokens"


def identity_of(region: str) -> str:
    """Name the identity tokens of a region, as layers and conditioners do."""
    return f"identity tokens of the {region}"


Features = Mapping[str, Tensor]
Memo = dict[tuple[str, str], tuple[Tensor, ...]]


class NoMemo(Memo):
    """A memo that keeps nothing.

    For training, where each layer runs once per step and would find nothing. With activation checkpointing
    it runs again in the backward pass and has to do all that it did before.
    """

    def __setitem__(self, key: tuple[str, str], value: tuple[Tensor, ...]) -> None:
        del key, value


@dataclass
class Taps:
    """Collect what layers see on the way, for those kinds that somebody asked for.

    Kinds: "reference" (the ReferenceNet's features), "mask" (mask_pred logits), and a region's name, "hands"
           or "face" (features after its RAM).
    """

    wanted: frozenset[str] = frozenset()
    values: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def put(self, kind: str, path: str, value: Tensor) -> None:
        """Keep a value under its module path, if its kind is wanted.

        The first one stays: a layer whose activations are recomputed in the backward pass comes here again.
        """
        if kind in self.wanted:
            self.values.setdefault(kind, {}).setdefault(path, value)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Hold everything that drives one segment.

    Shapes:   frames F, clips B; reference: module path -> (B * K, S, C), K references per clip that take
              turns over its frames, usually 1; reference_rows: B booleans, False = this clip does without,
              empty where nothing is dropped; motion: module path -> (B, M, S, C); audio_NWD (N, window, D)
              tokens; identity: region -> (B, R, D) tokens; image_BRD tokens of the whole picture; masks:
              stage -> (N, regions, S), how much of the sound each region hears, and region_weights one
              number per region; map_NCHW added after conv_in; time_NE added to the time embedding;
              embedding_NE is set by the U-Net; given_BGCHW: clean latents that stand before each clip and
              count among its frames; memo, clip_memo: what layers have computed already, see `once`
    """

    frames: int
    clips: int = 1
    reference: Features = field(default_factory=dict)
    reference_rows: tuple[bool, ...] = ()
    motion: Features = field(default_factory=dict)
    audio_NWD: Tensor = field(default_factory=lambda: torch.empty(0))
    identity: Features = field(default_factory=dict)
    image_BRD: Tensor = field(default_factory=lambda: torch.empty(0))
    masks: Mapping[int, Tensor] = field(default_factory=dict)
    region_weights: tuple[float, ...] = ()
    map_NCHW: Tensor = field(default_factory=lambda: torch.tensor(0.0))
    time_NE: Tensor = field(default_factory=lambda: torch.tensor(0.0))
    embedding_NE: Tensor = field(default_factory=lambda: torch.tensor(0.0))
    given_BGCHW: Tensor = field(default_factory=lambda: torch.empty(1, 0))
    taps: Taps = field(default_factory=Taps)
    memo: Memo = field(default_factory=dict)
    clip_memo: Memo = field(default_factory=dict)

    @property
    def sampled_frames(self) -> int:
        """Frames of a clip that are being sampled: all but those that are given."""
        return self.frames - self.given_BGCHW.shape[1]

    def plus(self, **added: Tensor) -> Self:
        """Add to what is summed up: map_NCHW, time_NE."""
        return replace(self, **{name: getattr(self, name) + value for name, value in added.items()})

    def opened_by(self, given_BGCHW: Tensor) -> Self:
        """Put clean frames before every clip: all layers see them, and they themselves hear and show nothing.

        Call it when everything that has a value per frame is in.
        """

        def padded(x: Tensor) -> Tensor:
            if x.ndim < 2:
                return x
            clips = x.unflatten(0, (self.clips, self.frames))
            return torch.cat([clips.new_zeros(self.clips, count, *x.shape[1:]), clips], dim=1).flatten(0, 1)

        count = given_BGCHW.shape[1]
        return replace(
            self,
            frames=self.frames + count,
            given_BGCHW=given_BGCHW,
            audio_NWD=padded(self.audio_NWD),
            masks={stage: padded(mask) for stage, mask in self.masks.items()},
            map_NCHW=padded(self.map_NCHW),
            time_NE=padded(self.time_NE),
        )

    def with_given(self, x_NCHW: Tensor) -> Tensor:
        """Put the given frames before the sampled ones, (B * sampled, C, h, w) -> (B * frames, C, h, w)."""
        if not self.given_BGCHW.numel():
            return x_NCHW
        clips = x_NCHW.unflatten(0, (self.clips, -1))
        return torch.cat([self.given_BGCHW.to(clips), clips], dim=1).flatten(0, 1)

    def without_given(self, x_NCHW: Tensor) -> Tensor:
        """Cut the given frames off again."""
        given = self.frames - self.sampled_frames
        return x_NCHW.unflatten(0, (self.clips, -1))[:, given:].flatten(0, 1) if given else x_NCHW

    def with_embedding(self, embedding_NE: Tensor) -> Self:
        """Set this step's time embedding; everything else, the memos too, is shared."""
        return replace(self, embedding_NE=embedding_NE)

    def without_memo(self) -> Self:
        """Compute everything where it is read: nothing is kept for a next step."""
        return replace(self, memo=NoMemo(), clip_memo=NoMemo())

    def once(self, path: str, name: str, make: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Compute once per segment what no step changes but every frame has its own: the sound."""
        return _remembered(self.memo, (path, name), make)

    def once_per_clip(
        self, path: str, name: str, make: Callable[[], tuple[Tensor, ...]]
    ) -> tuple[Tensor, ...]:
        """Compute once what no frame changes: reference, identity, tokens of the whole picture.

        Segments with the same reference may be given the same clip_memo.
        """
        return _remembered(self.clip_memo, (path, name), make)

    def per_frame(self, references: Tensor) -> Tensor:
        """Give every folded row its clip's reference; of several, frame i takes number i modulo K.

        Shapes:   (B * K, ...) -> (N, ...)
        """
        turns = torch.arange(self.frames, device=references.device) % (len(references) // self.clips)
        return references.unflatten(0, (self.clips, -1))[:, turns].flatten(0, 1)

    def rows(self, *, having: bool, device: torch.device) -> Tensor:
        """Number the folded rows whose clip has a reference, or those whose clip has none.

        Numbers and not a mask, and made once: a mask would make every layer wait for the device.
        """

        def numbered() -> tuple[Tensor, ...]:
            clips = (clip for clip, has in enumerate(self.reference_rows) if has == having)
            rows = [row for clip in clips for row in range(clip * self.frames, (clip + 1) * self.frames)]
            return (torch.tensor(rows, device=device),)

        return _remembered(self.memo, ("rows", str(having)), numbered)[0]


def _remembered(
    memo: Memo, key: tuple[str, str], make: Callable[[], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    if key in memo:
        return memo[key]
    made = memo[key] = make()
    return made


def join(parts: Sequence[Conditions]) -> Conditions:
    """Join the conditions of several passes along the clip axis, in the order given.

    Raises:   ConfigError: the passes differ in frames, or one has reference features, motion frames or tokens
              that another lacks, or they weigh regions differently; a pass without a reference keeps the
              features and says so in reference_rows
    """
    first = parts[0]
    for other in parts[1:]:
        same = (other.frames, other.region_weights) == (first.frames, first.region_weights) and all(
            getattr(other, name).keys() == getattr(first, name).keys()
            for name in ("reference", "motion", "identity", "masks")
        )
        if not same:
            raise ConfigError(
                "Passes with different frames, reference features, motion frames or identity tokens "
                "cannot be joined; run them one after another instead."
            )

    def joined(name: str) -> dict[Any, Tensor]:
        return {key: torch.cat([getattr(part, name)[key] for part in parts]) for key in getattr(first, name)}

    def stacked(name: str) -> Tensor:
        values = [getattr(part, name) for part in parts]
        return torch.cat(values) if values[0].ndim > 1 else values[0]

    return Conditions(
        frames=first.frames,
        clips=sum(part.clips for part in parts),
        reference=joined("reference"),
        reference_rows=tuple(row for part in parts for row in part.reference_rows),
        motion=joined("motion"),
        audio_NWD=stacked("audio_NWD"),
        identity=joined("identity"),
        masks=joined("masks"),
        region_weights=first.region_weights,
        image_BRD=stacked("image_BRD"),
        map_NCHW=stacked("map_NCHW"),
        time_NE=stacked("time_NE"),
        given_BGCHW=stacked("given_BGCHW"),
    )
