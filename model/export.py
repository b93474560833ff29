"""Export a network to ONNX, so that embedding needs no torch."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.errors import ModelInputError
from model.exported import FEATURES, PIXELS, VECTORS, open_exported, save_described
from model.network import SiameseNetwork

if TYPE_CHECKING:
    from onnx import ModelProto

SEEN, BACKBONE = "seen", "backbone/"
"""The input of an exported head, and what the names in an exported backbone then begin with."""

TOLERANCE = 1e-4
"""Largest relative error of an exported network; about 1e-6 is usual."""


class _Features(nn.Module):
    """Only the backbone of a network."""

    def __init__(self, network: SiameseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.features(pixels).flatten(1)


class _Head(nn.Module):
    """What follows the backbone: flattened features → embeddings, and the features pooled.

    If the network sees mirror images too, theirs are the second half of the features.
    """

    def __init__(self, network: SiameseNetwork, size: torch.Size) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        features, is_mirrored = flat.reshape(-1, *self.size), self.network.shape.mirrored
        # Not `len`, which would be that of the example for ever.
        count = features.shape[0] // 2 if is_mirrored else features.shape[0]
        vectors = self.network.embed(features)
        if is_mirrored:
            vectors = self.network.join(vectors[:count], vectors[count:])
        return vectors, self.network.standardise(self.network.pool(features[:count]))


def export_network(
    network: SiameseNetwork,
    path: Path,
    description: Mapping[str, Any],
    backbone: Path | None = None,
) -> None:
    """Write ``network`` to ``path``: crops (B, S, S, 3) uint8 → embeddings (B, D), for any B.

    A second output has the features (B, F) as the head sees them. Normalisation is included, and
    ``description`` becomes metadata. A ``backbone`` that `export_features` has written is taken as
    it is, as most of the time goes into it.
    """
    import onnx  # takes a third of a second

    side, batch = network.shape.crop_size, torch.export.Dim("batch", max=2**20)
    example = torch.zeros(4, side, side, 3, dtype=torch.uint8)  # of half as many, one is no batch
    with torch.inference_mode():
        features = network.eval().cpu().features(example)
    rows = 2 * batch if network.shape.mirrored else batch
    head = _Head(network, features.shape[1:])
    seen = features.flatten(1).clone()
    last = _export(head, seen, rows, SEEN, [VECTORS, FEATURES])
    first = _export_features(network) if backbone is None else onnx.load(backbone)
    save_described(_join(first, last, network.shape.mirrored), path, description)


def export_features(network: SiameseNetwork, path: Path, description: Mapping[str, Any]) -> None:
    """Write the backbone of ``network`` to ``path``: crops (B, S, S, 3) uint8 → features (B, D)."""
    save_described(_export_features(network), path, description)


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


def _export_features(network: SiameseNetwork) -> "ModelProto":
    side = network.shape.crop_size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    batch = torch.export.Dim("batch")
    return _export(_Features(network.eval().cpu()), example, batch, PIXELS, [VECTORS])


def _export(
    module: nn.Module, example: Tensor, rows: Any, taken: str, given: list[str]
) -> "ModelProto":
    """Export a module with one input, of any number of ``rows``."""
    # The exporter warns about libraries that are not installed and about its own internals.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=({0: rows},),
            input_names=[taken],
            output_names=given,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _join(backbone: "ModelProto", head: "ModelProto", is_mirrored: bool) -> "ModelProto":
    """Join two exported parts: crops, with their mirror images if wanted → backbone → head."""
    from onnx import compose

    first = compose.add_prefix(backbone, BACKBONE, rename_inputs=is_mirrored)
    if is_mirrored:
        first = compose.merge_models(_mirror(backbone), first, [("both", f"{BACKBONE}{PIXELS}")])
    joined = compose.merge_models(first, head, [(f"{BACKBONE}{VECTORS}", SEEN)])
    del joined.graph.value_info[:]  # the parts name their numbers of rows differently
    return joined


def _mirror(backbone: "ModelProto") -> "ModelProto":
    """Make the part before a backbone: crops → the crops, then their mirror images."""
    from onnx import TensorProto, helper, numpy_helper

    pixels = backbone.graph.input[0]
    backwards = [  # from the last column to the first
        numpy_helper.from_array(np.array([each], np.int64), name)
        for name, each in (("from", -1), ("to", -(2**62)), ("along", 2), ("by", -1))
    ]
    nodes = [
        helper.make_node("Slice", [PIXELS, "from", "to", "along", "by"], ["mirrored"]),
        helper.make_node("Concat", [PIXELS, "mirrored"], ["both"], axis=0),
    ]
    both = helper.make_tensor_value_info("both", TensorProto.UINT8, None)
    return helper.make_model(
        helper.make_graph(nodes, "mirror", [pixels], [both], backwards),
        opset_imports=backbone.opset_import,
        ir_version=backbone.ir_version,
    )
