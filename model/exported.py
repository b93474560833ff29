"""Run networks exported to ONNX on a CPU without torch.

They start much faster, and depthwise convolutions run several times as fast.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model.errors import ModelInputError

if TYPE_CHECKING:
    from onnx import ModelProto

BATCH = 16  # larger batches are no faster and take more memory
DESCRIBED_BY = "samehand"
"""The metadata key that holds samehand's description of the network, as JSON."""

PIXELS, VECTORS, FEATURES = "pixels", "vectors", "features"
"""The input, and the outputs: embeddings, and the features that the head sees."""

Pixels = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ExportedNetwork:
    """A network in an ONNX file: crops (B, S, S, 3) uint8 → one vector each (B, D) float32."""

    session: Any
    description: dict[str, Any]

    def __call__(self, pixels: Pixels) -> Float32:
        """Run one batch of crops."""
        (vectors,) = self.session.run([VECTORS], {PIXELS: pixels})
        return np.asarray(vectors, dtype=np.float32)

    def describe(self, pixels: Pixels) -> tuple[Float32, Float32]:
        """Run one batch of crops: their vectors (B, D), and the head's features (B, F)."""
        vectors, features = self.session.run([VECTORS, FEATURES], {PIXELS: pixels})
        return np.asarray(vectors, dtype=np.float32), np.asarray(features, dtype=np.float32)

    @property
    def embedding_size(self) -> int:
        """The length of a vector."""
        return int(self.session.get_outputs()[0].shape[1])


def open_exported(path: Path) -> ExportedNetwork:
    """Open an ONNX file written by samehand. Raises ModelInputError for any other file."""
    import onnxruntime  # takes a tenth of a second

    if not path.is_file():
        raise ModelInputError(f"there is no exported network {path}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    # A thread that spins while it waits takes the core that another thread needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # As torch and NumPy do; the workers of Dask set it.
    told = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(told) if told.isdecimal() else 0  # 0: all cores
    try:
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        described = session.get_modelmeta().custom_metadata_map[DESCRIBED_BY]
        return ExportedNetwork(session, json.loads(described))
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise ModelInputError(f"{path} is not a network exported by samehand") from error


def describe_anew(source: Path, target: Path, description: Mapping[str, Any]) -> None:
    """Write the network in ``source`` to ``target`` with another description."""
    import onnx  # takes a third of a second

    save_described(onnx.load(source), target, description)


def save_described(network: "ModelProto", target: Path, description: Mapping[str, Any]) -> None:
    """Write a network to ``target`` with its description as metadata."""
    import onnx

    onnx.helper.set_model_props(network, {DESCRIBED_BY: json.dumps(dict(description))})
    onnx.save(network, target)


def embed_exported(
    network: ExportedNetwork,
    pixels: Pixels,
    rows: npt.NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Float32:
    """Run rows of ``pixels`` (N, S, S, 3), uint8, or all, through a network: (len(rows), D)."""
    rows, vectors = np.arange(len(pixels)) if rows is None else rows, []
    for start in range(0, len(rows), BATCH):
        chosen = rows[start : start + BATCH]
        vectors.append(network(np.ascontiguousarray(pixels[chosen])))
        progress(start + len(chosen), len(rows))
    return np.concatenate(vectors) if vectors else np.empty((0, 0), dtype=np.float32)


def describe_exported(network: ExportedNetwork, pixels: Pixels) -> tuple[Float32, Float32]:
    """Run all ``pixels`` (N, S, S, 3), uint8: vectors (N, D), and the head's features (N, F)."""
    if not len(pixels):
        return np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)
    starts = range(0, len(pixels), BATCH)
    batches = [network.describe(np.ascontiguousarray(pixels[at : at + BATCH])) for at in starts]
    vectors, features = zip(*batches, strict=True)
    return np.concatenate(vectors), np.concatenate(features)
