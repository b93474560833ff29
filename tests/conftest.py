"""What holds for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

# Before torch is imported, here and in child processes: with a Prefect server beside, two threads
# that wait for each other in every layer are many times slower than one that waits for nobody.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The machine may be busy: no property fails because of the time it takes.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


# Tests that share a server run in one process, or each process would start a server of its own.
# The groups that take longest come first, so that no process waits long for the other at the end.
GROUPS = {"site": "site", "sites": "sites", "prefect_server": "prefect"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests by the server that they share, and sort them by group."""
    ranks = {}
    for item in items:
        names = getattr(item, "fixturenames", ())
        group = next((group for fixture, group in GROUPS.items() if fixture in names), None)
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
        ranks[item] = list(GROUPS.values()).index(group) if group else len(GROUPS)
    items.sort(key=ranks.__getitem__)


@pytest.fixture(scope="session")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one sub-folder for each of 12 artists, whose stripes differ in width."""
    folder = tmp_path_factory.mktemp("paintings")
    for artist in range(12):
        generator = np.random.default_rng(artist)
        (folder / f"Artist {artist}").mkdir()
        for number in range(4):
            stripes = (np.arange(48) // (artist + 1) % 2)[:, None, None] * 90
            noise = generator.integers(0, 120, (48, 48, 3))
            image = Image.fromarray((stripes + noise).astype(np.uint8))
            image.save(folder / f"Artist {artist}" / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own."""
    # Here, so that tests of the network run where there is no Prefect.
    from prefect.logging.configuration import setup_logging
    from prefect.testing.utilities import prefect_test_harness

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        # Before any command runs: its standard error is closed when it ends, the log's must not be.
        setup_logging()
        with prefect_test_harness(server_startup_timeout=180):
            yield


@pytest.fixture(scope="session")
def prefect_api(prefect_server: None) -> str:
    """The address of that server, for processes of their own."""
    from prefect.settings import PREFECT_API_URL

    return str(PREFECT_API_URL.value())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    from tests.postgres import NAMED, postgres

    with postgres() as url:
        if url is None:
            pytest.skip(f"there is no PostgreSQL on this machine; name a server in {NAMED}")
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a fresh, empty schema, dropped after the test."""
    from sqlalchemy import create_engine, make_url, text

    schema, server = f"samehand_{uuid4().hex}", create_engine(postgres_server)
    with server.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    url = make_url(postgres_server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with server.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    server.dispose()


@pytest.fixture(scope="session")
def object_store() -> Iterator[dict[str, str]]:
    """The environment of the users of a real object store with a bucket `paintings`."""
    from tests.object_store import object_store as started

    with started() as environment:
        yield environment
