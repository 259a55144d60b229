"""The public relatives as values: EchoMimicV2, Hallo and AnimateAnyone as Moore Threads published it.

Widths, depths and token sizes are read from the shapes of the weights; what shapes do not tell (heads, norm
groups, positions) is PeerConfig, whose defaults are those of the published files.

Source: antgroup/echomimic_v2, fudan-generative-vision/hallo, MooreThreads/Moore-AnimateAnyone: their code and
inference configurations.
"""

from collections.abc import Callable, Mapping

from ..backbone.audio_projection import MLPAudioConfig, PlainAudioConfig
from ..backbone.audio_transformer import AudioTransformerConfig
from ..backbone.map_encoder import MapEncoderConfig
from ..backbone.motion_module import MotionModuleConfig
from ..backbone.transformer import (
    FeedForwardConfig,
    ImageTokensConfig,
    InlineAudioConfig,
    SelfAttentionConfig,
    SpatialTransformerConfig,
)
from ..backbone.unet import SiteLayerConfig, UNetConfig
from ..conditioners.conditioner import Conditioner
from ..conditioners.drawn_maps import DrawnMaps
from ..conditioners.image_tokens import ImageTokens
from ..conditioners.motion_frames import MotionFrames
from ..conditioners.reference_features import ReferenceFeatures
from ..conditioners.sound import Sound
from ..conditioners.sound_regions import SoundRegions
from ..config import Config
from ..diffusion.schedule import ScheduleSpec
from ..guidance.dual import DualGuidance
from .spec import SD_LATENT_SCALE, LongVideoSpec, SlidingWindowsSpec, SystemSpec

Shapes = Mapping[str, tuple[int, ...]]  # by the names of our checkpoints
_BLOCK = "denoiser.mid_block.attentions.0.transformer_blocks.0."  # one that is always there
_WHISPER_TOKENS = 10 * 5  # steps of 20 ms per frame, levels of the encoder


class PeerConfig(Config):
    """What the shapes of a public relative's weights do not tell.

    motion_frames: how many Hallo's chain carries over; audio_window: frames of sound that Hallo's projection
    takes; alternating: see ReferenceFeatures; audio_scale: EchoMimicV2 hears this many times as loud;
    accelerated: its weights for 6 steps.
    """

    heads: int = 8
    motion_heads: int = 8
    norm_groups: int = 32
    motion_norm_groups: int = 32
    positions: int = 32
    motion_frames: int = 2
    audio_window: int = 5
    alternating: bool = True
    audio_scale: float = 3.0
    accelerated: bool = False


def echomimic_v2(shapes: Shapes, config: PeerConfig) -> SystemSpec:
    """EchoMimicV2: half bodies, driven by Whisper features and drawn hands.

    Accelerated weights are sampled in 6 steps without guidance.
    """
    token_dim = shapes[f"{_BLOCK}attn_audio.to_k.weight"][1]
    transformer = SpatialTransformerConfig(
        heads=config.heads,
        layers=(
            SelfAttentionConfig(),
            InlineAudioConfig(token_dim=token_dim, scale=config.audio_scale),
            FeedForwardConfig(),
        ),
    )
    motion = _motion(config, first_position=0)
    scale = 1.0 if config.accelerated else 2.5
    return _spec(
        "echomimic-v2-accelerated" if config.accelerated else "echomimic-v2",
        _unet(shapes, config, layers=(transformer, motion), plain_layers=(motion,)),
        (
            ReferenceFeatures(),
            DrawnMaps(encoder=_map_encoder(shapes), drawing="hands", always=False),
            Sound(
                feature_dim=token_dim,
                token_dim=token_dim,
                window=_WHISPER_TOKENS,
                hearing="whisper",
                projection=PlainAudioConfig(),
            ),
        ),
    ).derive(
        guidance=DualGuidance(reference_scale=scale, audio_scale=scale),
        schedule=_schedule(steps=6 if config.accelerated else 30),
        long_video=SlidingWindowsSpec(frames=12, overlap=3, rotating=True),
        noise_limit=1.5,
        height=768,
        width=768,
        fps=24.0,
    )


def hallo(shapes: Shapes, config: PeerConfig) -> SystemSpec:
    """Hallo: talking heads; full picture, face and lips each hear the sound in their own measure.

    Its motion modules stay silent in the blocks without attention, as they do in its published inference.
    """
    transformer = _image_transformer(shapes, config)
    tokens, token_dim = _count_and_size(shapes, "audio_projection.proj3", "audio_projection.norm")
    inputs = shapes["audio_projection.proj1.weight"][1]
    image_tokens, image_dim = _count_and_size(shapes, "image_projection.proj", "image_projection.norm")
    audio = AudioTransformerConfig(heads=config.heads, token_dim=token_dim, widths=_audio_widths(shapes))
    motion = _motion(config, first_position=config.motion_frames)
    return _spec(
        "hallo",
        _unet(shapes, config, layers=(transformer, audio, motion), plain_layers=()),
        (
            ImageTokens(
                source="face",
                vector_dim=shapes["image_projection.proj.weight"][1],
                token_dim=image_dim,
                tokens=image_tokens,
                projected=True,
            ),
            ReferenceFeatures(alternating=config.alternating),
            MotionFrames(frames=config.motion_frames, alternating=config.alternating),
            DrawnMaps(encoder=_map_encoder(shapes), drawing="face_box", always=False),
            Sound(
                feature_dim=inputs // config.audio_window,
                token_dim=token_dim,
                window=config.audio_window,
                hearing="wav2vec2_stretched",
                projection=MLPAudioConfig(
                    hidden_dim=shapes["audio_projection.proj1.weight"][0], tokens=tokens
                ),
            ),
            SoundRegions(regions=audio.regions),
        ),
    ).derive(
        guidance=DualGuidance(reference_scale=3.5, audio_scale=3.5),
        schedule=_schedule(steps=40),
        long_video=LongVideoSpec(frames=16, kept=16, opening="reference"),
        height=512,
        width=512,
    )


def animate_anyone(shapes: Shapes, config: PeerConfig) -> SystemSpec:
    """Moore-AnimateAnyone: whole bodies, driven by a video of drawn skeletons; hears nothing."""
    transformer = _image_transformer(shapes, config)
    token_dim = shapes[f"{_BLOCK}attn2.to_k.weight"][1]
    motion = _motion(config, first_position=0)
    return _spec(
        "animate-anyone",
        _unet(shapes, config, layers=(transformer, motion), plain_layers=(motion,)),
        (
            ImageTokens(source="clip", vector_dim=token_dim, token_dim=token_dim),
            ReferenceFeatures(),
            DrawnMaps(encoder=_map_encoder(shapes), drawing="skeleton"),
        ),
    ).derive(
        guidance=DualGuidance(reference_scale=3.5, audio_scale=3.5),
        schedule=_schedule(steps=30),
        long_video=SlidingWindowsSpec(frames=24, overlap=4, rotating=False),
        height=784,
        width=512,
        fps=30.0,
    )


PEERS: dict[str, Callable[[Shapes, PeerConfig], SystemSpec]] = {
    "echomimic-v2": echomimic_v2,
    "hallo": hallo,
    "animate-anyone": animate_anyone,
}


def _spec(name: str, unet: UNetConfig, conditioners: tuple[Conditioner, ...]) -> SystemSpec:
    """What all three share."""
    return SystemSpec(
        name=name, unet=unet, conditioners=conditioners, latent_scale=SD_LATENT_SCALE, any_size=True
    )


def _schedule(*, steps: int) -> ScheduleSpec:
    return ScheduleSpec(prediction="v_prediction", beta_schedule="linear", zero_snr=True, steps=steps)


def _motion(config: PeerConfig, *, first_position: int) -> MotionModuleConfig:
    return MotionModuleConfig(
        heads=config.motion_heads,
        positions=config.positions,
        first_position=first_position,
        norm_groups=config.motion_norm_groups,
    )


def _image_transformer(shapes: Shapes, config: PeerConfig) -> SpatialTransformerConfig:
    token_dim = shapes[f"{_BLOCK}attn2.to_k.weight"][1]
    return SpatialTransformerConfig(
        heads=config.heads,
        layers=(SelfAttentionConfig(), ImageTokensConfig(token_dim=token_dim), FeedForwardConfig()),
    )


def _unet(
    shapes: Shapes,
    config: PeerConfig,
    *,
    layers: tuple[SiteLayerConfig, ...],
    plain_layers: tuple[SiteLayerConfig, ...],
) -> UNetConfig:
    stages = _count(shapes, "denoiser.down_blocks.{}.resnets.0.conv1.weight")
    first = "denoiser.down_blocks.{}.resnets.0.conv1.weight"
    return UNetConfig(
        latent_channels=shapes["denoiser.conv_in.weight"][1],
        channels=tuple(shapes[first.format(stage)][0] for stage in range(stages)),
        attention_stages=tuple(
            f"denoiser.down_blocks.{stage}.attentions.0.norm.weight" in shapes for stage in range(stages)
        ),
        resnets_per_stage=_count(shapes, "denoiser.down_blocks.0.resnets.{}.conv1.weight"),
        norm_groups=config.norm_groups,
        layers=layers,
        plain_layers=plain_layers,
    )


def _map_encoder(shapes: Shapes) -> MapEncoderConfig:
    first, channels_in = shapes["movement_encoder.conv_in.weight"][:2]
    blocks = _count(shapes, "movement_encoder.blocks.{}.weight")
    strided = (shapes[f"movement_encoder.blocks.{block}.weight"][0] for block in range(1, blocks, 2))
    return MapEncoderConfig(channels_in=channels_in, widths=(first, *strided))


def _audio_widths(shapes: Shapes) -> dict[str, int]:
    """Inner widths of the audio transformers by site; in Hallo's they are not always the site's own."""
    widths = {}
    for key, shape in shapes.items():
        if key.startswith("denoiser.") and ".audio_modules." in key and key.endswith(".proj_in.weight"):
            block, rest = key.removeprefix("denoiser.").split(".audio_modules.")
            widths[f"{block}.{rest.split('.')[0]}"] = shape[0]
    return widths


def _count(shapes: Shapes, pattern: str) -> int:
    """How many numbers, from 0 on, make the pattern a name."""
    count = 0
    while pattern.format(count) in shapes:
        count += 1
    return count


def _count_and_size(shapes: Shapes, projection: str, norm: str) -> tuple[int, int]:
    """Tokens, and their width, of a projection that makes all of them at once."""
    size = shapes[f"{norm}.weight"][0]
    return shapes[f"{projection}.weight"][0] // size, size
