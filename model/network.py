"""The Siamese network: ResNet-18 without its pooling, and a small head that embeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from model.errors import ModelInputError
from model.resnet import CHANNELS, STRIDE, from_torchvision, resnet18, torchvision_name

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """What has to be known to build the network anew; the defaults are the reference's.

    ``crop_size`` in pixels; ``backbone_dropout`` before the first linear layer and
    ``head_dropout`` before the second, as probabilities.
    """

    crop_size: int = 224
    hidden_size: int = 256
    embedding_size: int = 64
    backbone_dropout: float = 0.25
    head_dropout: float = 0.30


class SiameseNetwork(nn.Module):
    """Embeds crops so that those by one hand lie close together.

    All three roles of a triplet go through this one network. It takes pixels as they are
    stored, so nobody can forget to normalise them.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: NetworkShape) -> None:
        """Build the network with random weights."""
        super().__init__()
        # Nested rounding up at each of five halvings equals one rounding up at the end.
        side = -(-shape.crop_size // STRIDE)
        self.shape = shape
        self.backbone = resnet18()
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(shape.backbone_dropout),
            nn.Linear(CHANNELS * side * side, shape.hidden_size),
            nn.ReLU(),
            nn.Dropout(shape.head_dropout),
            nn.Linear(shape.hidden_size, shape.embedding_size),
        )
        self.register_buffer("mean", _per_channel(IMAGENET_MEAN), persistent=False)
        self.register_buffer("deviation", _per_channel(IMAGENET_DEVIATION), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed crops: (B, S, S, 3) uint8 → (B, embedding_size) float32, not normalised."""
        # Viewed this way round, stored pixels already are in channels-last memory order.
        images = pixels.permute(0, 3, 1, 2).float().div(255.0)
        embeddings: Tensor = self.head(self.backbone(images.sub(self.mean).div(self.deviation)))
        return embeddings.float()


def build_network(shape: NetworkShape, weights: str, seed: int) -> SiameseNetwork:
    """Build the network in channels-last memory order, its random parts drawn from ``seed``.

    ``weights`` is ``imagenet``, ``none``, or the path of a file that holds ResNet-18's weights
    under torchvision's names. Raises ModelInputError where they cannot be had or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SiameseNetwork(shape)
        if weights != "none":
            _load_backbone(network, resnet_weights(weights), weights)
    # torch's own stubs leave `to(memory_format=...)` untyped in its return.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return, unused-ignore]


def resnet_weights(weights: str) -> Mapping[str, Tensor]:
    """Read ResNet-18's weights: ``imagenet`` from torchvision, anything else from that file.

    Raises ModelInputError saying what to do where they cannot be had.
    """
    if weights == "imagenet":
        return _imagenet_weights()
    path = Path(weights)
    if not path.is_file():
        raise ModelInputError(f"weights: there is no file {path}; use imagenet, none or a file")
    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different class for every way a file can be wrong
        raise ModelInputError(f"weights: {path} is not a file of torch weights") from error
    return state


def _imagenet_weights() -> Mapping[str, Tensor]:
    from torchvision.models import ResNet18_Weights  # seconds, which only this one use is worth

    source = ResNet18_Weights.IMAGENET1K_V1
    file_name = source.url.rsplit("/", 1)[-1]
    try:
        state: Mapping[str, Tensor] = source.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except Exception as error:  # no network, no disk, a wrong hash: the remedy is the same
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise ModelInputError(
            f"weights: the ImageNet weights could not be had ({type(error).__name__}); put "
            f"{file_name} into {folder}, or name such a file (--set weights=FILE), or start "
            "from random weights (--set weights=none)"
        ) from error
    return state


def _load_backbone(network: SiameseNetwork, state: Mapping[str, Tensor], source: str) -> None:
    """Load torchvision's ResNet-18 weights; its classifier, which the network lacks, is left."""
    try:
        outcome = network.backbone.load_state_dict(from_torchvision(state), strict=False)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ModelInputError(f"weights: {source} does not hold ResNet-18's weights") from error
    # torch's own list: it forgives old files that do not count the batches of a normalisation.
    if missing := outcome.missing_keys:
        raise ModelInputError(
            f"weights: {source} lacks {torchvision_name(missing[0])} of ResNet-18"
        )


def _per_channel(values: tuple[float, float, float]) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)
