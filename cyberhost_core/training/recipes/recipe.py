"""A complete training run as a value: the system, and the stages that train it."""

from ...config import Config
from ...errors import ConfigError
from ...systems.spec import SystemSpec
from ..stage import StageConfig


class Recipe(Config):
    """What `cyberhost train image`, `video` and `pack` go by.

    image_system: the part of the system that stage 1 trains; None where there is no stage 1
    """

    system: SystemSpec
    image_system: SystemSpec | None
    image: StageConfig | None
    video: StageConfig

    def stage(self, name: str) -> tuple[SystemSpec, StageConfig]:
        """Give a stage, "image" or "video", and what it trains.

        Raises:   ConfigError: the recipe has no such stage
        """
        if name == "video":
            return self.system, self.video
        if self.image is None or self.image_system is None:
            raise ConfigError(
                f"'{self.system.name}' is trained in one stage, and stage 1 was asked for; use 'train video'."
            )
        return self.image_system, self.image
