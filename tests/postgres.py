"""A PostgreSQL server to test with: the one that is named, the local one, or one of our own."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

NAMED = "SAMEHAND_TEST_POSTGRES_URL"
LOCAL = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
PROGRAMS = "usr/lib/postgresql/*/bin"


@contextmanager
def postgres() -> Iterator[str | None]:
    """Yield a server's URL; None where there is neither a server nor its programs."""
    if named := os.environ.get(NAMED):
        yield named
    elif _answers(LOCAL):
        yield LOCAL
    elif programs := sorted(Path("/").glob(PROGRAMS)):
        with _own_server(programs[-1]) as url:
            yield url
    else:
        yield None


def _answers(url: str) -> bool:
    server = create_engine(url, connect_args={"connect_timeout": 3})
    try:
        server.connect().close()
    except OperationalError:
        return False
    finally:
        server.dispose()
    return True


@contextmanager
def _own_server(programs: Path) -> Iterator[str]:
    """A server of our own, on a free port; PostgreSQL refuses to run as root."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(mkdtemp(prefix="samehand-postgres-"))
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, options = folder / "data", f"-h 127.0.0.1 -p {port} -k {folder}"

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), *arguments]
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    run("initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
    run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)
