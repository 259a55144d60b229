"""What a picture shows, with CLIP's vision tower: one vector per picture.

    picture --squeezed to 224 x 224, cubic--> mean and deviation of CLIP --network--> projected, (768,)

A picture is squeezed, not cut: that is how the models fed with these vectors saw their references.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import require_extra
from .hugging_face import fill_network, read_folder

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection

MEAN_RGB = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
STD_RGB = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
_TOWER = ("vision_model.", "visual_projection.")
_COUNTING = "vision_model.embeddings.position_ids"  # in older files; transformers counts by itself


class ClipImage:
    """Describe pictures with CLIP's vision tower (ViT-L/14 gives 768 numbers)."""

    def __init__(self, model: "CLIPVisionModelWithProjection") -> None:
        self._model: Any = model.eval()

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor], config: Mapping[str, Any]) -> "ClipImage":
        """Build from weights and a Hugging Face configuration; those of a whole CLIP will do.

        Raises:   CheckpointError: the weights do not fit the configuration
                  MissingExtraError: transformers is not installed
        """
        try:
            from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
        except ImportError as error:
            raise require_extra("transformers", extra="standalone", purpose="Loading CLIP") from error
        tower = config.get("vision_config", {}) | {"projection_dim": config.get("projection_dim", 512)}
        config = tower if "vision_config" in config else config
        model = CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(dict(config)))
        fill_network(
            model, {name: weight.float() for name, weight in state.items() if _is_seen(name)}, network="CLIP"
        )
        return cls(model)

    @classmethod
    def from_folder(cls, folder: str | Path) -> "ClipImage":
        """Build from a downloaded folder: config.json, model.safetensors.

        Raises:   CheckpointError: a file is missing or unreadable
                  MissingExtraError: transformers is not installed
        """
        return cls.from_state_dict(*read_folder(folder, network="CLIP", wanted=_is_seen))

    @torch.inference_mode()
    def embed(self, image_YXC: np.ndarray) -> Tensor:
        """Describe one picture.

        Shapes:   image_YXC (Y, X, 3) uint8 RGB; result (D,) float32, 768 for ViT-L/14
        Source:   CLIP (Radford et al. 2021); Moore-AnimateAnyone's use of it
        """
        size = self._model.config.image_size
        squeezed = Image.fromarray(image_YXC).resize((size, size), Image.Resampling.BICUBIC)
        normal_YXC = (np.asarray(squeezed, dtype=np.float32) / 255 - MEAN_RGB) / STD_RGB
        pixels_NCYX = torch.from_numpy(normal_YXC).permute(2, 0, 1)[None].to(next(self._model.parameters()))
        return self._model(pixels_NCYX).image_embeds[0].float().cpu()


def _is_seen(name: str) -> bool:
    return name.startswith(_TOWER) and name != _COUNTING
