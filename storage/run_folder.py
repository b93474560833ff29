"""The files of a run."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from storage.files import present, remove

RESUMABLE: Final = timedelta(days=7)
"""How long a stopped run's unfinished files are kept so that it can resume."""
EXPORTED = ".onnx"
FROZEN = "backbone.pt"
"""The file of a frozen backbone, beside the checkpoints of a run, which do not repeat it."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run: checkpoints, triplets, embeddings, plots and the report."""

    directory: Path

    @property
    def lock(self) -> Path:
        """Held by the run's process."""
        return self.directory / "run.lock"

    @property
    def report(self) -> Path:
        """The report, beside its plots."""
        return self.directory / "report.md"

    @property
    def page(self) -> Path:
        """The report as a page to look at, in one file."""
        return self.directory / "report.html"

    @property
    def triplets(self) -> Path:
        """The folder of the drawn triplets."""
        return self.directory / "triplets"

    def kept_triplets(self, split: str, *, matched: bool = False) -> Path:
        """The triplets of a split that are drawn once, plain or with matched negatives."""
        return self.triplets / f"{split}{'-matched' * matched}.npz"

    def inner(self, name: str) -> "RunFolder":
        """A folder of the same kind inside this one, for another evaluation."""
        return RunFolder(self.directory / name)

    @property
    def rejected_pairs(self) -> Path:
        """The rows of a pair file that cannot be scored, with reasons."""
        return self.directory / "rejected_pairs.csv"

    @property
    def scored_pairs(self) -> Path:
        """The scores of a pair file on their way into the database."""
        return self.directory / "scores.rows"

    @property
    def atlas(self) -> Path:
        """The embeddings of a collection, and what attributes pictures to its artists."""
        return self.directory / "atlas.npz"

    @property
    def atlas_page(self) -> Path:
        """The folder of a collection's page, which opens from disk."""
        return self.directory / "page"

    @property
    def cautions(self) -> Path:
        """The images of a pair file whose verdicts are doubtful, and why."""
        return self.directory / "cautions.csv"

    def checkpoint(self, epoch: int) -> Path:
        """The network after ``epoch``; 0 is before training."""
        return self.directory / "checkpoints" / f"epoch-{epoch:03d}.pt"

    @property
    def backbone(self) -> Path:
        """The frozen backbone of this run's network."""
        return self.directory / "checkpoints" / FROZEN

    def epoch_triplets(self, epoch: int) -> Path:
        """The training triplets of ``epoch``."""
        return self.triplets / f"train-{epoch:03d}.npz"

    def remove_working_files(self) -> None:
        """Remove what only a resumed run needs, and can make again, here and in inner folders.

        These are networks before training, optimizer states, and backbones without a checkpoint.
        """
        for working in ("epoch-000.pt", "*.optimizer.pt"):
            for path in self.directory.rglob(f"checkpoints/{working}"):
                remove(path)
        for backbone in self.directory.rglob(f"checkpoints/{FROZEN}"):
            if not any(backbone.parent.glob("epoch-*.pt")):
                remove(backbone)

    def embeddings(self, of: str, split: str) -> Path:
        """The embeddings of a split's images by the network or a baseline."""
        return self.directory / "embeddings" / f"{of}-{split}.npz"


def fetch_network(checkpoint: Path) -> Path:
    """Fetch all files of a network from the store, where the workspace is in one; see `files`."""
    backbone = checkpoint.with_name(FROZEN)
    for path in (checkpoint, backbone, exported_beside(checkpoint), experience_beside(checkpoint)):
        present(path)
    return checkpoint


def exported_beside(checkpoint: Path) -> Path:
    """The file of the same network exported to ONNX."""
    return checkpoint.with_suffix(EXPORTED)


def experience_beside(checkpoint: Path) -> Path:
    """What the same network has seen; see `model.experience`."""
    return checkpoint.with_suffix(".seen.npz")


def checkpoint_beside(exported: Path) -> Path:
    """The checkpoint that a network was exported from."""
    return exported.with_suffix(".pt")


def optimizer_beside(checkpoint: Path) -> Path:
    """The optimizer's state for a checkpoint."""
    return checkpoint.with_suffix(".optimizer.pt")
