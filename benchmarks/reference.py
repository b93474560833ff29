"""The reference's way: each image opened and warped by itself, three passes a triplet, float32.

It is given the same random numbers as ours, so that it does the same work, and learns the same.
"""

import copy
import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from model.distances import Float32, TripletDistances
from model.network import SiameseNetwork
from model.pretrained import IMAGENET
from model.training import Recipe
from model.triplets import Triplets, batch_slices, stream
from model.warp_draws import WarpDraws, draw_warps

EVALUATED = 200  # triplets in a batch
NEAREST = InterpolationMode.NEAREST


def reference_network(ours: SiameseNetwork) -> nn.Sequential:
    """The same network of torchvision's parts, in torch's default order of memory."""
    theirs, trunk = resnet18(), ours.backbone.parts[0]
    theirs.load_state_dict(trunk.network.state_dict(), strict=False)  # less the classifier
    backbone = nn.Sequential(*list(theirs.children())[:-2])
    return nn.Sequential(backbone, copy.deepcopy(ours.head)).to(trunk.mean.device)


def reference_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Adam:
    """Adam as torch has it by default."""
    return torch.optim.Adam(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )


def train_reference(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    files: Sequence[bytes],
    triplets: Triplets,
    recipe: Recipe,
    *,
    seed: int,
    epoch: int,
) -> float:
    """One epoch on crops given as image files, as `model.training.train_epoch`; its mean loss."""
    network.train()
    device = next(network.parameters()).device
    criterion, rng = nn.TripletMarginLoss(margin=recipe.margin), stream(seed, "warp", epoch)
    torch.manual_seed(int(stream(seed, "dropout", epoch).integers(2**62)))
    total, count = 0.0, len(triplets.anchor_idx)
    for batch in batch_slices(count, recipe.batch_size):
        embedded = []
        for rows in (triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx):
            chosen = [open_crop(files[row]) for row in rows[batch]]
            draws = draw_warps(recipe.warps, len(chosen), chosen[0].width, rng)
            images = [warp_one(image, draws, idx) for idx, image in enumerate(chosen)]
            embedded.append(network(to_input(images).to(device)))
        loss = criterion(*embedded)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * (batch.stop - batch.start)
    return total / count


def evaluate_reference(
    network: nn.Module, files: Sequence[bytes], triplets: Triplets
) -> TripletDistances:
    """The distances of each triplet, each of its three images opened and embedded for it."""
    network.eval()
    device = next(network.parameters()).device
    near, far = [], []
    with torch.no_grad():
        for batch in batch_slices(len(triplets.anchor_idx), EVALUATED):
            anchor, positive, negative = (
                network(to_input([open_crop(files[row]) for row in rows[batch]]).to(device))
                for rows in (triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx)
            )
            near.append(nn.functional.pairwise_distance(anchor, positive).cpu().numpy())
            far.append(nn.functional.pairwise_distance(anchor, negative).cpu().numpy())
    return TripletDistances(np.concatenate(near), np.concatenate(far))


def embed_reference(network: nn.Module, files: Sequence[bytes]) -> Float32:
    """The reference's embeddings (N, D), each image by itself, once."""
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        found = [network(to_input([open_crop(file)]).to(device)).cpu() for file in files]
    return np.concatenate([each.numpy() for each in found])


def open_crop(file: bytes) -> Image.Image:
    """Decode a crop."""
    return Image.open(io.BytesIO(file)).convert("RGB")


def warp_one(image: Image.Image, draws: WarpDraws, idx: int) -> Image.Image:
    """The five transforms of torchvision, one after the other, on one image of those drawn for."""
    image = transforms.rotate(image, float(draws.rotation[idx]), NEAREST, fill=0)
    if draws.vertical_flip[idx]:
        image = transforms.vflip(image)
    if draws.horizontal_flip[idx]:
        image = transforms.hflip(image)
    angle, scale, shear = draws.affine_rotation[idx], draws.scale[idx], draws.shear[idx]
    image = transforms.affine(
        image, float(angle), [0, 0], float(scale), [float(shear), 0.0], NEAREST, fill=0
    )
    if draws.perspective[idx]:
        far = draws.size - 1
        start = [[0, 0], [far, 0], [far, far], [0, far]]
        image = transforms.perspective(image, start, draws.corners[idx].tolist(), NEAREST, fill=0)
    return image


def to_input(images: Sequence[Image.Image]) -> Tensor:
    """Images to what the network takes: (B, 3, S, S) float32, normalised."""
    return torch.stack(
        [
            transforms.normalize(
                transforms.to_tensor(image), list(IMAGENET.mean), list(IMAGENET.deviation)
            )
            for image in images
        ]
    )
