"""A complete training run as a value: the system, the part of it that stage 1 trains, and the two stages."""

from ...config import Config
from ...systems.spec import SystemSpec
from ..stage import StageConfig


class Recipe(Config):
    """What `cyberhost train image`, `video` and `pack` go by."""

    system: SystemSpec
    image_system: SystemSpec
    image: StageConfig
    video: StageConfig
