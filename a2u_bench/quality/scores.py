"""Scores of reconstructed images: PSNR, SSIM, MAE, RMSE, over whole images and over their edges alone.

Every score is computed for each image, with values in [0, 1], and averaged over images. **PSNR** is 10·log10(1/MSE) in
dB; an image with MSE below 1e-10 counts 100 dB. **SSIM** is scikit-image's, with the Gaussian window of its paper
(σ = 1.5) and data range 1. **RMSE** is √MSE; the papers print it under the name MSE.

**Edges** of an image are those pixels at which the Sobel magnitude of the *target* is above zero and at least its 0.9
quantile over the image: the sharpest tenth. Edge scores are the same averages over these pixels alone (SSIM: of its
map); an image without any edge has none and is left out.

Zhou Wang, Alan Bovik, Hamid Sheikh, Eero Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
Similarity", IEEE TIP 13(4), 2004.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from skimage.filters import sobel
from skimage.metrics import structural_similarity

SHARPEST = 0.9
SMALLEST_ERROR = 1e-10

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Means over images; those of edges are None where no image has an edge."""

    psnr: float
    ssim: float
    mae: float
    rmse: float
    edge_psnr: float | None
    edge_ssim: float | None
    edge_mae: float | None
    edge_rmse: float | None


def score(outputs: NDArray[np.float32], targets: NDArray[np.float32]) -> Scores:
    """Scores of outputs against targets, both [N, H, W] in [0, 1], N >= 1, sides of at least 11."""
    if outputs.shape != targets.shape or outputs.ndim != 3:
        raise ValueError(f"outputs and targets must be equal [N, H, W]; got {outputs.shape} and {targets.shape}")
    whole, edged = [], []
    for output, target in zip(outputs.astype(np.float64), targets.astype(np.float64), strict=True):
        mean, similarity = structural_similarity(
            output, target, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
        )
        error = output - target
        whole.append(_of(error, mean))  # its mean is over windows that lie inside, not over the whole map
        where = edges(target)
        if where.any():
            edged.append(_of(error[where], np.mean(similarity[where])))
    names = [field.name for field in fields(Scores)]
    on_edges = np.mean(edged, axis=0).tolist() if edged else [None] * 4
    return Scores(**dict(zip(names, [*np.mean(whole, axis=0).tolist(), *on_edges], strict=True)))


def edges(target: Array) -> NDArray[np.bool_]:
    """The pixels [H, W] that count as edges of an image."""
    magnitude = sobel(target)
    found: NDArray[np.bool_] = (magnitude > 0) & (magnitude >= np.quantile(magnitude, SHARPEST))
    return found


def _of(error: Array, similarity: float) -> tuple[float, float, float, float]:
    """PSNR, SSIM, MAE and RMSE of these pixels."""
    square = float(np.mean(error**2))
    return (
        -10 * np.log10(max(square, SMALLEST_ERROR)),
        float(similarity),
        float(np.mean(np.abs(error))),
        float(np.sqrt(square)),
    )
