"""What Prefect's UI shows of a run; no run fails because it cannot be shown."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect import get_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

RETRIES = 2
"""They take some seconds; a server that is away for longer is not waited for."""


@contextmanager
def if_server_answers() -> Iterator[None]:
    """Publish in the block; if Prefect's server is away, a line of the log says so instead."""
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: RETRIES}):
            yield
    except httpx.HTTPError as error:
        get_run_logger().warning(
            "Not shown in Prefect's UI, its server does not answer (%s)", type(error).__name__
        )
