"""What latents look like at a glance: one linear map from a latent cell to its mean colour."""

import torch
from torch import Tensor

from ..backbone.vae import TinyVAE


@torch.no_grad()
def fit_preview(vae: TinyVAE, pictures_NCYX: Tensor) -> list[list[float]]:
    """Fit the map by least squares on some pictures.

    Shapes:   pictures (N, 3, Y, X) in -1..1; result C + 1 rows of R, G, B in -1..1, the last one the offset:
              colour = cell @ rows[:-1] + rows[-1]
    """
    latents = vae.encode(pictures_NCYX)
    cells = latents.permute(0, 2, 3, 1).flatten(0, 2)
    colours = torch.nn.functional.avg_pool2d(pictures_NCYX, 8).permute(0, 2, 3, 1).flatten(0, 2)
    with_offset = torch.cat([cells, torch.ones(len(cells), 1)], dim=1)
    return torch.linalg.lstsq(with_offset, colours).solution.tolist()
