"""Two servers, two workers, PostgreSQL and Redis as documented, all on this machine."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.operations.conftest import Site, documented, lines_of, tiny, wait_for
from tests.ports import free_port


@pytest.fixture(scope="module")
def databases(postgres_server: str) -> Iterator[dict[str, str]]:
    """Two fresh databases, one for Prefect and one for results, under the users' names."""
    server = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    names = {name: f"{name}_{uuid4().hex[:8]}" for name in ("prefect", "samehand")}
    with server.connect() as connection:
        for name in names.values():
            connection.execute(text(f"CREATE DATABASE {name}"))
    yield names
    with server.connect() as connection:
        for name in names.values():
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A Redis of our own: what others keep in theirs is left alone."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on this machine")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    yield port
    server.kill()
    server.wait()


@pytest.fixture(scope="module")
def sites(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: str,
    databases: dict[str, str],
    redis_port: int,
) -> Iterator[tuple[Site, Site]]:
    """Two machines, each with a server and a worker, set up with the documented environment."""
    root = tmp_path_factory.mktemp("several")
    shared = root / "shared"
    shared.mkdir()
    at = make_url(postgres_server).set(drivername="postgresql")
    address = at.render_as_string(hide_password=False).rpartition("/")[0].partition("://")[2]
    given = dict(
        line.split("=", 1)
        for line in lines_of("Several machines", "ini")
        if line.startswith(("PREFECT_", "SAMEHAND_"))
    )
    settings = {
        name: value.replace(
            "prefect:PASSWORD@db.example/prefect", f"{address}/{databases['prefect']}"
        )
        .replace("samehand:PASSWORD@db.example/samehand", f"{address}/{databases['samehand']}")
        .replace("redis.example", "127.0.0.1")
        .replace("6379", str(redis_port))
        .replace("/shared/samehand", str(shared))
        for name, value in given.items()
    }
    upgrade, server, services, worker = documented("Several machines")
    pool, deploy = documented("One machine")[2:4]
    one, two = (machine(root / name, settings) for name in ("one", "two"))
    try:
        one.run_documented(upgrade)
        for site in (one, two):  # at once, they stumble over each other in an empty database
            site.start("server", *server)
            wait_for(site.is_healthy, "the server answers", 240)
        one.start("services", *services)
        one.run_documented(pool)
        one.run_documented(deploy)
        for site in (one, two):
            site.start("worker", *worker)
        wait_for(lambda: count_workers(one) == 2, "both workers are online", 240)
        yield one, two
    finally:
        one.stop()
        two.stop()


def machine(root: Path, settings: dict[str, str]) -> Site:
    root.mkdir()
    port = free_port()
    api = settings["PREFECT_API_URL"].replace("4200", str(port))
    return Site(root, port, settings | {"PREFECT_API_URL": api})


def count_workers(site: Site) -> int:
    found = site.ask("work_pools/samehand/workers/filter", {})
    return sum(worker["status"] == "ONLINE" for worker in found)


def taken(site: Site, flow_runs: set[str]) -> set[str]:
    """Those of the flow runs that a site's worker has taken, and not left to a quicker one."""
    log = (site.root / "worker.log").read_text(encoding="utf-8")
    return {
        flow_run
        for flow_run in flow_runs
        if f"submitting flow run '{flow_run}'" in log
        and f"Aborted submission of flow run '{flow_run}'" not in log
    }


def test_both_workers_run_flows_and_continue_when_a_server_is_killed(
    sites: tuple[Site, Site], paintings: Path
) -> None:
    one, two = sites
    both = {
        one.run("train-flow", source=str(paintings), settings=tiny(seed=1)),
        two.run("train-flow", source=str(paintings), settings=tiny(seed=2)),
    }
    for flow_run in both:
        two.wait_until(flow_run, "RUNNING", "COMPLETED")
    one.kill("server")
    assert [len(taken(site, both)) for site in sites] == [1, 1]
    (mine,) = taken(two, both)
    two.wait_until(mine, "COMPLETED")
    results = create_engine(two.settings["SAMEHAND_DATABASE_URL"])
    with results.connect() as connection:
        status = connection.scalar(
            text("SELECT status FROM runs WHERE prefect_flow_run_id = :id"), {"id": mine}
        )
    results.dispose()
    assert status == "complete"
