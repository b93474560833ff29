"""How a network is trained: plain values, so that settings need no torch."""

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
    ``images_per_batch_artist`` images each, drawn by the number of their images to
    ``artist_power``. ``batching`` says how a batch of triplets goes through
    the network: anchors, positives and negatives in passes of their own (``roles``), or each of its
    images once, in one pass. With ``shared`` the triplets, too, are to be drawn so that they share
    images (`model.triplets`). ``compile_network`` translates the network for the device first,
    which takes a minute; ``gradient_checkpointing`` holds the activations of one pass at a time,
    for a third more time. ``backbone_learning_rate`` is for the backbone where it differs.
    Raises ModelInputError for what does not go together.
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
        """A batch of a single pass has no other whose activations could be spared."""
        if self.gradient_checkpointing and self.batching != "roles":
            raise ModelInputError(
                f"gradient_checkpointing spares nothing with batching {self.batching}:"
                " leave it out, or choose batching roles"
            )
        if self.loss == "contrastive" and self.sampler != "artists":
            raise ModelInputError(
                "loss: contrastive compares the artists of a batch; set sampler=artists"
            )
