"""Place embeddings on a map."""

import numpy as np

from model.distances import Float32, Float64, finite_points

COMPONENTS = 50  # principal components whose neighbours are kept; more cost time and change little
PERPLEXITY = 10.0  # paintings that a painting wants near it
FEWEST = 12  # below, neighbourhoods mean little, and two principal components are the map
EARLY, LATE = 50, 90  # steps; more spread the groups, but keep no more neighbours together


def project(embeddings: Float32, seed: int = 0) -> Float64:
    """Place embeddings (N, D) on a map (N, 2), so that near ones stay near.

    This is t-SNE with interpolated forces from principal components (Linderman et al. 2019,
    "Fast interpolation-based t-SNE"; Kobak & Berens 2019, "The art of using t-SNE"), which keeps
    neighbours together and takes seconds for 20,000 images. Distances between groups mean
    nothing. Raises `ModelInputError` if an embedding is not finite.
    """
    points = _principal(finite_points(embeddings))
    spread = points[:, 0].std()
    if len(points) < FEWEST or spread < 1e-9:  # openTSNE crashes if all points are one
        return points[:, :2]
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN

    near = PerplexityBasedNN(
        points, min(PERPLEXITY, (len(points) - 1) / 3), method="exact", n_jobs=-1
    )
    start = points[:, :2] / spread * 1e-4
    placed = TSNEEmbedding(
        start, near, negative_gradient_method="fft", n_jobs=-1, random_state=seed
    )
    placed = placed.optimize(EARLY, exaggeration=12, momentum=0.5)
    return np.array(placed.optimize(LATE, momentum=0.8))


def _principal(points: Float64) -> Float64:
    """The points' first principal components (N, K), K between 2 and `COMPONENTS`."""
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :COMPONENTS]
    axes = axes * np.where(axes.sum(axis=0) < 0, -1, 1)  # else a sign is up to the machine
    found: Float64 = centred @ axes
    return np.pad(found, ((0, 0), (0, max(0, 2 - found.shape[1]))))
