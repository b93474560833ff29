"""Export a network to ONNX, so that embedding needs no torch."""

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.errors import ModelInputError
from model.exported import DESCRIBED_BY, FEATURES, VECTORS, open_exported
from model.network import SiameseNetwork

TOLERANCE = 1e-4
"""Largest relative error of an exported network; about 1e-6 is usual."""


class _Features(nn.Module):
    """Only the backbone of a network."""

    def __init__(self, network: SiameseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.features(pixels).flatten(1)


class _Embedding(nn.Module):
    """A network's embeddings, and the features that they are of.

    Pictures and mirror images go through its backbone in one pass. The graph then holds the
    backbone once, which halves the time to export it and to open it.
    """

    def __init__(self, network: SiameseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        count = pixels.shape[0]  # not `len`, which would be that of the example for ever
        is_mirrored = self.network.shape.mirrored
        features = self.network.features(
            torch.cat([pixels, pixels.flip(2)]) if is_mirrored else pixels
        )
        vectors = self.network.embed(features)
        if is_mirrored:
            vectors = self.network.join(vectors[:count], vectors[count:])
        return vectors, self.network.standardise(self.network.pool(features[:count]))


def export_network(network: SiameseNetwork, path: Path, description: Mapping[str, Any]) -> None:
    """Write ``network`` to ``path``: crops (B, S, S, 3) uint8 → embeddings (B, D), for any B.

    A second output has the features (B, F) as the head sees them. Normalisation is included, and
    ``description`` becomes metadata.
    """
    outputs = [VECTORS, FEATURES]
    _export(_Embedding(network), network, path, description, outputs)


def export_features(network: SiameseNetwork, path: Path, description: Mapping[str, Any]) -> None:
    """Write the backbone of ``network`` to ``path``: crops (B, S, S, 3) uint8 → features (B, D)."""
    _export(_Features(network), network, path, description, [VECTORS])


def check_export(
    network: SiameseNetwork, path: Path, pixels: npt.NDArray[np.uint8], *, features: bool = False
) -> float:
    """Compare the file at ``path`` with its network on crops, and return the relative error.

    Raises ModelInputError if it exceeds `TOLERANCE`.
    """
    run = _Features(network) if features else network
    with torch.inference_mode():
        expected = run.eval()(torch.from_numpy(np.array(pixels))).numpy()
    found = open_exported(path)(np.ascontiguousarray(pixels))
    error = float(np.linalg.norm(found - expected)) / max(float(np.linalg.norm(expected)), 1e-12)
    if not error <= TOLERANCE:
        raise ModelInputError(
            f"{path}: the exported network differs from the original by {error:.1e}"
        )
    return error


def _export(
    module: nn.Module,
    network: SiameseNetwork,
    path: Path,
    description: Mapping[str, Any],
    outputs: list[str],
) -> None:
    side = network.shape.crop_size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    network.eval().cpu()
    # The exporter warns about libraries that are not installed and about its own internals.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=["pixels"],
            output_names=outputs,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props[DESCRIBED_BY] = json.dumps(dict(description))
    program.save(path, external_data=False)
