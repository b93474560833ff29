"""How a network is trained: plain values, so that settings do not import torch."""

from dataclasses import dataclass, field
from typing import Literal

from model.errors import ModelInputError
from model.warp_draws import WarpRanges

Batching = Literal["roles", "together", "shared"]
LossName = Literal["triplet", "contrastive"]
SamplerName = Literal["triplets", "artists"]
OptimizerName = Literal["adam", "adamw"]
Schedule = Literal["constant", "one-cycle"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is trained; the defaults are the reference's.

    ``sampler`` makes batches of ``batch_size`` triplets, or of ``artists_per_batch`` artists with
    ``images_per_batch_artist`` images each; an artist's chance is their number of images to the
    power ``artist_power``. ``batching`` passes anchors, positives and negatives separately
    (``roles``) or each image once (``together``); ``shared`` also draws triplets that share images.
    ``gradient_checkpointing`` trades time for memory. ``backbone_learning_rate`` defaults to
    ``learning_rate``. Raises ModelInputError for values that contradict each other.
    """

    learning_rate: float = 1e-5
    backbone_learning_rate: float | None = None
    weight_decay: float = 1e-3
    optimizer: OptimizerName = "adam"
    schedule: Schedule = "constant"
    epochs: int = 20
    loss: LossName = "triplet"
    margin: float = 5.0
    temperature: float = 0.1
    sampler: SamplerName = "triplets"
    batch_size: int = 200
    artists_per_batch: int = 32
    images_per_batch_artist: int = 4
    artist_power: float = 0.0
    warps: WarpRanges = field(default_factory=WarpRanges)
    batching: Batching = "roles"
    compile_network: bool = False
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        """Refuse values that contradict each other."""
        if self.gradient_checkpointing and self.batching != "roles":  # there is only one pass
            raise ModelInputError(
                f"gradient_checkpointing saves no memory with batching={self.batching}:"
                " leave it out, or set batching=roles"
            )
        if self.loss == "contrastive" and self.sampler != "artists":
            raise ModelInputError(
                "loss: contrastive compares the artists of a batch; set sampler=artists"
            )
