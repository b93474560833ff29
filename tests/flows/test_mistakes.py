"""A mistake of a user in the log of a deployment: a line of the step, one of the flow."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import InputError


def ask_for_a_model() -> object:
    from flows.evaluate import evaluate_flow

    return evaluate_flow()


def train_on_nothing() -> object:
    from flows.train import train_flow

    return train_flow("/nowhere", "demo", {"weights": "none"})


@pytest.mark.parametrize(
    ("call", "told"),
    [(ask_for_a_model, "holds no model yet"), (train_on_nothing, "/nowhere: there is no such")],
)
def test_a_mistake_is_logged_without_a_traceback(
    prefect_server: None,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[], object],
    told: str,
) -> None:
    for name in ("prefect.flow_runs", "prefect.task_runs"):  # without the command line's filters
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    with pytest.raises(InputError, match=told):
        call()
    assert [record for record in caplog.records if record.exc_info] == []
    lines = {record.name for record in caplog.records if told in record.getMessage()}
    assert lines == {"prefect.task_runs", "prefect.flow_runs"}
    of_flow = [record for record in caplog.records if record.name == "prefect.flow_runs"]
    assert sum(told in record.getMessage() for record in of_flow) == 1
