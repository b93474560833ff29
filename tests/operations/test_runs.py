"""Runs by a worker: they end well, and what they leave can be seen."""

from pathlib import Path

from tests.operations.conftest import Site, tiny


def test_a_training_run_by_a_worker_ends_complete(site: Site, paintings: Path) -> None:
    run = site.run("train-flow", source=str(paintings), settings=tiny())
    site.wait_until(run, "COMPLETED", "FAILED", "CRASHED")
    assert site.state(run) == "COMPLETED"
    assert site.status(run) == "complete"
    assert site.epochs(run) == 2
