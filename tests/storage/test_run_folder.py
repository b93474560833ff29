from pathlib import Path

from storage.run_folder import (
    RunFolder,
    checkpoint_beside,
    exported_beside,
    optimizer_beside,
)

FOLDER = RunFolder(Path("runs/7"))


def test_files_have_their_documented_paths() -> None:
    assert FOLDER.report == Path("runs/7/report.md")
    assert FOLDER.checkpoint(3) == Path("runs/7/checkpoints/epoch-003.pt")
    assert FOLDER.epoch_triplets(12) == Path("runs/7/triplets/train-012.npz")
    assert FOLDER.epoch_triplets(12).parent == FOLDER.triplets
    assert FOLDER.embeddings("untrained", "test") == Path("runs/7/embeddings/untrained-test.npz")


def test_checkpoints_sort_by_epoch() -> None:
    files = [FOLDER.checkpoint(epoch) for epoch in range(300)]
    assert sorted(files) == files


def test_no_two_files_of_a_run_share_a_path() -> None:
    epochs = (0, 1, 10, 100)
    files = [FOLDER.report, FOLDER.triplets]
    files += [FOLDER.checkpoint(epoch) for epoch in epochs]
    files += [optimizer_beside(FOLDER.checkpoint(epoch)) for epoch in epochs]
    files += [FOLDER.epoch_triplets(epoch) for epoch in epochs]
    files += [FOLDER.embeddings(of, split) for of in ("1", "hog") for split in ("test", "train")]
    assert len(set(files)) == len(files)


def test_the_optimizer_state_is_beside_its_checkpoint() -> None:
    beside = optimizer_beside(FOLDER.checkpoint(3))
    assert beside == Path("runs/7/checkpoints/epoch-003.optimizer.pt")


def test_checkpoint_and_exported_network_can_be_found_from_each_other() -> None:
    checkpoint = Path("runs/7/checkpoints/epoch-003.pt")
    assert exported_beside(checkpoint) == Path("runs/7/checkpoints/epoch-003.onnx")
    assert checkpoint_beside(exported_beside(checkpoint)) == checkpoint
    assert checkpoint_beside(checkpoint) == checkpoint
