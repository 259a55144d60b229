"""CyberHost: the values of the paper, its ablations, and the tiny twin that ships with the package.

Source: CyberHost (ICLR 2025), section 3, 4.1, appendix A.3, E. What the paper leaves open is decided in
docs/decisions.
"""

from collections.abc import Callable, Iterable

from ..backbone.latents_bank import BankConfig
from ..backbone.map_encoder import MapEncoderConfig
from ..backbone.motion_module import MotionModuleConfig
from ..backbone.region_attention import RegionAttentionConfig
from ..backbone.transformer import (
    FeedForwardConfig,
    InlineAudioConfig,
    ReferenceResidualConfig,
    SelfAttentionConfig,
    SpatialTransformerConfig,
)
from ..backbone.unet import SiteLayerConfig, UNetConfig
from ..conditioners.drawn_maps import DrawnMaps
from ..conditioners.hand_clarity import HandClarity
from ..conditioners.motion_frames import MotionFrames
from ..conditioners.reference_features import ReferenceFeatures
from ..conditioners.reference_input import ReferenceInput
from ..conditioners.region_identity import RegionIdentity
from ..conditioners.sound import Sound
from ..diffusion.schedule import ScheduleSpec
from ..errors import ConfigError
from ..guidance.dual import DualGuidance
from .spec import SD_LATENT_SCALE, LongVideoSpec, SystemSpec


def paper() -> SystemSpec:
    """CyberHost (A2V-B) on Stable Diffusion 1.5's sizes, as section 3 and appendix E give it."""
    regions = tuple(RegionAttentionConfig(region=region) for region in ("face", "hands"))
    motion = MotionModuleConfig()
    return SystemSpec(
        name="cyberhost",
        unet=UNetConfig(layers=(SpatialTransformerConfig(), *regions, motion), plain_layers=(motion,)),
        conditioners=(
            ReferenceFeatures(skeleton=MapEncoderConfig()),
            MotionFrames(),
            RegionIdentity(),
            DrawnMaps(),
            Sound(),
            HandClarity(),
        ),
        latent_scale=SD_LATENT_SCALE,
        any_size=True,
    )


def talking_head() -> SystemSpec:
    """A2V-H: the hand RAMs removed (section 4.2)."""
    return without_hand_ram(paper()).derive(name="cyberhost-head", height=512, width=512)


def tiny() -> SystemSpec:
    """The same architecture at a size that two CPU cores train in an evening and a repository can carry.

    Departs:  v prediction with zero terminal SNR; a reference residual beside the reference attention;
              smaller banks; 10 of 12 frames kept per segment
    """
    banks = (BankConfig(axis="spatial", spatial=48, rows=8), BankConfig(axis="temporal", temporal=16))
    regions = tuple(
        RegionAttentionConfig(region=region, width=64, heads=2, banks=banks, identity_dim=64, mask_width=24)
        for region in ("face", "hands")
    )
    transformer = SpatialTransformerConfig(
        heads=2,
        layers=(
            SelfAttentionConfig(),
            ReferenceResidualConfig(),
            InlineAudioConfig(token_dim=96),
            FeedForwardConfig(),
        ),
    )
    maps = MapEncoderConfig(patch=4, widths=(32, 64))
    return SystemSpec(
        name="cyberhost-tiny",
        unet=UNetConfig(
            latent_channels=16,
            channels=(80, 128),
            attention_stages=(True, True),
            resnets_per_stage=1,
            norm_groups=16,
            layers=(transformer, *regions, MotionModuleConfig(heads=2)),
        ),
        conditioners=(
            ReferenceFeatures(skeleton=maps),
            MotionFrames(),
            RegionIdentity(
                token_dim=64,
                face_tokens=4,
                hand_encoder=MapEncoderConfig(patch=4, widths=(32, 48, 64, 64), depth=2),
            ),
            DrawnMaps(encoder=maps),
            ReferenceInput(),
            Sound(feature_dim=384, token_dim=96),
            HandClarity(unit=15.0, low=(2.4, 2.4, 0.6, 0.6), high=(13.0, 13.0, 1.0, 1.0)),
        ),
        guidance=DualGuidance(reference_scale=1.5, audio_scale=2.0),
        schedule=ScheduleSpec(
            prediction="v_prediction", beta_schedule="squaredcos_cap_v2", zero_snr=True, steps=20
        ),
        long_video=LongVideoSpec(kept=10),
        height=128,
        width=96,
    )


def map_regions(
    spec: SystemSpec, change: Callable[[RegionAttentionConfig], SiteLayerConfig | None]
) -> SystemSpec:
    """Change or drop (None) every RAM of a system; only regions that still ask for an identity get one."""
    changed: Iterable[SiteLayerConfig | None] = (
        change(layer) if isinstance(layer, RegionAttentionConfig) else layer for layer in spec.unet.layers
    )
    layers = tuple(layer for layer in changed if layer is not None)
    asking = {
        layer.region for layer in layers if isinstance(layer, RegionAttentionConfig) and layer.identity_dim
    }

    def still_asked(identity: RegionIdentity) -> RegionIdentity | None:
        regions = tuple(region for region in identity.regions if region in asking)
        return identity.derive(regions=regions) if regions else None

    return spec.derive(unet=spec.unet.derive(layers=layers)).changing(RegionIdentity, still_asked)


def without_latents_bank(spec: SystemSpec) -> SystemSpec:
    """Table 1, "w/o Latents Bank"."""
    return map_regions(spec, lambda ram: ram.derive(banks=()))


def without_spatial_latents(spec: SystemSpec) -> SystemSpec:
    """Table 5, "w/o Spatial Latents"."""
    return map_regions(spec, lambda ram: ram.derive(banks=tuple(b for b in ram.banks if b.axis != "spatial")))


def without_temporal_latents(spec: SystemSpec) -> SystemSpec:
    """Table 1, "w/o Temp. Latents"."""
    return map_regions(
        spec, lambda ram: ram.derive(banks=tuple(b for b in ram.banks if b.axis != "temporal"))
    )


def unified_latents(spec: SystemSpec) -> SystemSpec:
    """Table 5, "3D Latents Bank"."""

    def unify(ram: RegionAttentionConfig) -> RegionAttentionConfig:
        sizes = {bank.axis: bank for bank in ram.banks}
        if not {"spatial", "temporal"} <= sizes.keys():
            raise ConfigError(
                f"'{spec.name}' has no spatial and temporal latents to be unified; leave out this ablation, "
                "or the one that removed them."
            )
        unified = sizes["spatial"].derive(axis="unified", temporal=sizes["temporal"].temporal)
        return ram.derive(banks=(unified,))

    return map_regions(spec, unify)


def orthonormal_latents(spec: SystemSpec) -> SystemSpec:
    """Ours: Gram-Schmidt also brings the vectors to length 1."""
    return _map_banks(spec, lambda bank: bank.derive(basis="orthonormal"))


def placeless_latents(spec: SystemSpec) -> SystemSpec:
    """Ours: the banks of version 0.1, whose positions turned the keys alone and reached no result."""
    return _map_banks(spec, lambda bank: bank.derive(rows=1, places="keys", basis="orthonormal"))


def _map_banks(spec: SystemSpec, change: Callable[[BankConfig], BankConfig]) -> SystemSpec:
    return map_regions(spec, lambda ram: ram.derive(banks=tuple(change(bank) for bank in ram.banks)))


def without_identity_descriptor(spec: SystemSpec) -> SystemSpec:
    """Table 1, "w/o ID Descriptor"."""
    return map_regions(spec, lambda ram: ram.derive(identity_dim=0))


def without_hand_ram(spec: SystemSpec) -> SystemSpec:
    """Table 1, "w/o Hand RAM"; also the talking head setting of section 4.2."""
    return map_regions(spec, lambda ram: None if ram.region == "hands" else ram)


def without_face_ram(spec: SystemSpec) -> SystemSpec:
    """Table 1, "w/o Face RAM"."""
    return map_regions(spec, lambda ram: None if ram.region == "face" else ram)


def without_movement_map(spec: SystemSpec) -> SystemSpec:
    """Table 1, "w/o Body Movement"."""
    return spec.without(DrawnMaps)


def without_hand_clarity(spec: SystemSpec) -> SystemSpec:
    """Table 1, "w/o Hand Clarity"."""
    return spec.without(HandClarity)


def without_pose_aligned_reference(spec: SystemSpec) -> SystemSpec:
    """Table 1, "w/o Pose-aligned Ref."."""
    return spec.changing(ReferenceFeatures, lambda features: features.derive(skeleton=None))


def ram_at(spec: SystemSpec, sites: tuple[str, ...]) -> SystemSpec:
    """Table 6, "top-k": RAMs only at the named sites, those where the mask predictor is most accurate."""
    return map_regions(spec, lambda ram: ram.derive(sites=sites))


SYSTEMS: dict[str, Callable[[], SystemSpec]] = {
    "cyberhost": paper,
    "cyberhost-head": talking_head,
    "cyberhost-tiny": tiny,
}

ABLATIONS: dict[str, Callable[[SystemSpec], SystemSpec]] = {
    "no-latents-bank": without_latents_bank,
    "no-spatial-latents": without_spatial_latents,
    "no-temporal-latents": without_temporal_latents,
    "unified-latents": unified_latents,
    "orthonormal-latents": orthonormal_latents,
    "placeless-latents": placeless_latents,
    "no-identity-descriptor": without_identity_descriptor,
    "no-hand-ram": without_hand_ram,
    "no-face-ram": without_face_ram,
    "no-movement-map": without_movement_map,
    "no-hand-clarity": without_hand_clarity,
    "no-pose-aligned-reference": without_pose_aligned_reference,
}
