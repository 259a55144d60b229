"""Tokens of the whole picture, from one vector of it, for U-Nets that attend to such.

CLIP's embedding, or the face vector as its network gives it -> (projection) -> tokens
Absent:   the tokens of a vector of zeros.
Source:   Hallo (face, projected to 4 tokens), Moore-AnimateAnyone (CLIP, the vector itself is the token)
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ..backbone.conditions import IMAGE_TOKENS, Conditions
from ..backbone.embeddings import VectorProjection
from ..backbone.unet import UNetConfig
from ..data.clip import Clip
from ..errors import ConfigError
from .asks import EMBEDDING, FACE, Ask
from .conditioner import Conditioner, Given, InputShapes, InputSize, Place, Reader
from .values import REFERENCE, Drive, Encoded, Inputs, Missing, choose, having

IMAGE, NULL_IMAGE = "image", "null_image"  # names under which the tokens are kept, (B, R, D)


class ImageTokens(Conditioner):
    """source: "face" or "clip"; projected: a trained projection makes the tokens, else the vector is them."""

    kind: Literal["image_tokens"] = "image_tokens"
    source: Literal["face", "clip"]
    vector_dim: int = 768
    token_dim: int = 768
    tokens: int = 1
    projected: bool = False

    @property
    def brings(self) -> frozenset[str]:
        return frozenset({IMAGE_TOKENS})

    def asks_of_portrait(self) -> tuple[Ask, ...]:
        return (FACE,) if self.source == "face" else (EMBEDDING,)

    def of_portrait(self, known: Given, *, unet: UNetConfig) -> Inputs:
        vector_D = known[FACE].raw_D if self.source == "face" else known[EMBEDDING]
        return {"image_vector": self._checked(vector_D)[None]}

    def portrait_of(self, clip: Clip, *, unet: UNetConfig) -> Inputs:
        vector_D = clip.raw_face_vector_D if self.source == "face" else clip.picture_vector_D
        return {"image_vector": self._checked(torch.from_numpy(vector_D))}

    def _checked(self, vector_D: Tensor) -> Tensor:
        if vector_D.shape != (self.vector_dim,):
            raise ConfigError(
                f"The vector of the reference picture has {vector_D.numel()} numbers, but the system was "
                f"trained on {self.vector_dim}; load the CLIP vision or face network that belongs to the "
                "checkpoint."
            )
        return vector_D

    def shapes(self, size: InputSize) -> InputShapes:
        return InputShapes(portrait={"image_vector": (self.vector_dim,)})

    def build(self, parts: nn.Module, place: Place) -> Reader:
        return _Reader(self, parts, place)


def tokens(reference: Encoded, *, present: bool) -> Tensor:
    """Give the tokens of the picture, or those that stand for none; empty where the system has none."""
    name = IMAGE if present else NULL_IMAGE
    return reference[name] if name in reference else torch.empty(0)


class _Reader(Reader):
    def __init__(self, config: ImageTokens, parts: nn.Module, place: Place) -> None:
        self.config = config
        if config.projected:
            parts.image_projection = VectorProjection(
                config.vector_dim, config.token_dim, tokens=config.tokens, ops=place.ops
            )
            self.project = parts.image_projection
        else:
            self.project = lambda vector_BD: vector_BD.unflatten(1, (-1, config.token_dim))

    def read(self, portrait: Inputs, so_far: Encoded) -> Inputs:
        vector_BD = portrait["image_vector"]
        return {IMAGE: self.project(vector_BD), NULL_IMAGE: self.project(torch.zeros_like(vector_BD))}

    def join(
        self, conditions: Conditions, *, reference: Encoded, drive: Drive, missing: Missing
    ) -> Conditions:
        chosen = choose(having(missing, REFERENCE), reference[IMAGE], reference[NULL_IMAGE])
        return replace(conditions, image_BRD=chosen)
