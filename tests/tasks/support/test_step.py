"""Which faults a step is patient with, and that it tries again."""

import errno
from pathlib import Path

import pytest
from prefect import flow
from sqlalchemy.exc import OperationalError

from model.errors import ModelInputError
from storage.errors import InputError, UnavailableError
from tasks.support.step import is_worth_another_try, step


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "the file server hangs"),
        OSError(errno.ESTALE, "it was restarted"),
        OperationalError("SELECT 1", {}, Exception("database is locked")),
        UnavailableError("the server is starting up"),
    ],
)
def test_what_can_pass_is_waited_for(error: Exception) -> None:
    assert is_worth_another_try(error)


@pytest.mark.parametrize(
    "error",
    [
        InputError("row 3: the artist is blank"),
        ModelInputError("the checkpoint is not ours"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        OSError(errno.ENOSPC, "the disk is full"),
        MemoryError(),
        TimeoutError("the step took too long"),
        ValueError("a bug"),
    ],
)
def test_what_stays_ends_the_run(error: BaseException) -> None:
    assert not is_worth_another_try(error)


@pytest.mark.parametrize(
    ("number", "attempts", "ends_well"), [(errno.EIO, 2, True), (errno.ENOSPC, 1, False)]
)
def test_a_step_is_tried_again_after_a_fault_that_can_pass_alone(
    prefect_server: None, tmp_path: Path, number: int, attempts: int, ends_well: bool
) -> None:
    seen = tmp_path / "attempts"

    @step()
    def fail_once() -> str:
        seen.write_text(seen.read_text() + "x" if seen.exists() else "x")
        if len(seen.read_text()) == 1:
            raise OSError(number, "a fault")
        return "done"

    @flow
    def run() -> str:
        return fail_once()

    if ends_well:
        assert run() == "done"
    else:
        with pytest.raises(OSError, match="a fault"):
            run()
    assert len(seen.read_text()) == attempts
