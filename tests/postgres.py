"""A PostgreSQL server to test with: the one that is named, the local one, or one of our own."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from tempfile import mkdtemp

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from tests.ports import free_port

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
    else:
        with own_server() as server:
            yield server.url if server else None


def _answers(url: str) -> bool:
    server = create_engine(url, connect_args={"connect_timeout": 3})
    try:
        server.connect().close()
    except OperationalError:
        return False
    finally:
        server.dispose()
    return True


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A server that a test may do anything to; `folder` is its own, and its user's."""

    url: str
    folder: Path
    start: Sequence[str]
    user: str | None

    def restart(self) -> None:
        """Restart as after a crash: nobody is waited for."""
        control = [*self.start[:-1], "-m", "immediate", "restart"]
        subprocess.run(control, check=True, user=self.user, cwd=self.folder, stdout=DEVNULL)


@contextmanager
def own_server(password: str | None = None) -> Iterator[OwnServer | None]:
    """A server of our own, on a free port; None where its programs are not on this machine.

    Where there is a password, the server asks for it; otherwise it trusts everybody.
    """
    installed = sorted(Path("/").glob(PROGRAMS))
    if not installed:
        yield None
        return
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    folder = Path(mkdtemp(prefix="samehand-postgres-"))
    if user:
        shutil.chown(folder, user)
    port = free_port()
    data, options = folder / "data", f"-h 127.0.0.1 -p {port} -k {folder}"

    def run(program: str, *arguments: str) -> list[str]:
        command = [str(installed[-1] / program), *arguments]
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=DEVNULL)
        return command

    method = ["-A", "trust"]
    if password is not None:
        (folder / "password").write_text(password)
        method = ["-A", "scram-sha-256", f"--pwfile={folder / 'password'}"]
    run("initdb", "-D", str(data), *method, "-U", "postgres", "-E", "UTF8", "--no-sync")
    log = str(folder / "log")
    start = run("pg_ctl", "-D", str(data), "-o", options, "-l", log, "-w", "start")
    try:
        user_and_password = "postgres" if password is None else f"postgres:{password}"
        url = f"postgresql+psycopg://{user_and_password}@127.0.0.1:{port}/postgres"
        yield OwnServer(url, folder, start, user)
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)
