"""Everything but the denoiser: the conditioners of a system, built, and asked in turn.

portrait      --read--->  what is kept for a whole video
frames before --follow->  what is kept for one segment
drive         --join--->  Conditions --> denoiser(x_t, t)
"""

from torch import Tensor, nn

from ..backbone.conditions import Conditions, Taps
from ..backbone.ops import TORCH_OPS, Ops
from ..conditioners.conditioner import Place
from ..conditioners.values import NOTHING, Drive, Encoded, Inputs, Missing
from ..errors import ConfigError
from .spec import SystemSpec


class Encoders(nn.Module):
    """Hold the trainable parts of all conditioners, under the names that a checkpoint uses as prefixes.

    Raises:   ConfigError: layers of the U-Net read what none of the conditioners brings
    """

    def __init__(self, spec: SystemSpec, *, ops: Ops = TORCH_OPS) -> None:
        super().__init__()
        missing = spec.unet.reads.difference(*(conditioner.brings for conditioner in spec.conditioners))
        if missing:
            raise ConfigError(
                f"Layers of '{spec.name}' read {' and '.join(sorted(missing))}, but no conditioner that it "
                "lists brings them; list one that does, or leave those layers out."
            )
        self.spec = spec
        place = Place(unet=spec.unet, ops=ops, past_frames=spec.past_frames)
        self.readers = [conditioner.build(self, place) for conditioner in spec.conditioners]

    def read(self, portrait: Inputs) -> Encoded:
        """Read the portrait: once per video at inference, once per step in training.

        Shapes:   portrait: "latents" (B, C, h, w), and what the conditioners make of it, see each
        """
        seen = Encoded({"latents": portrait["latents"]})
        for reader in self.readers:
            seen = Encoded({**seen.values, **reader.read(portrait, seen)})
        return seen

    def follow(self, past_BMCHW: Tensor, reference: Encoded) -> Encoded:
        """Read the frames before a segment; none are nothing."""
        if not past_BMCHW.shape[1]:
            return NOTHING
        made: dict[str, Tensor] = {}
        for reader in self.readers:
            made |= reader.follow(past_BMCHW, reference)
        return Encoded(made)

    def conditions(
        self, reference: Encoded, drive: Drive, *, missing: Missing = (), taps: Taps | None = None
    ) -> Conditions:
        """Join all that drives one segment; missing: what each clip goes without, by default nothing."""
        absent = missing or (frozenset(),) * drive.clips
        conditions = Conditions(frames=drive.frames, clips=drive.clips, taps=taps or Taps())
        for reader in self.readers:
            conditions = reader.join(conditions, reference=reference, drive=drive, missing=absent)
        return conditions
