"""A site: a real Prefect server and a real worker, as processes with a home of their own."""

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml

from tests.flows.conftest import TINY, environment_of
from tests.ports import free_port

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
Json = dict[str, Any]
FILE = yaml.safe_load((CHECKOUT / "prefect.yaml").read_text(encoding="utf-8"))
DEPLOYMENTS: list[Json] = FILE["deployments"]


@dataclass
class Site:
    """Where a server and a worker run, and how to ask them."""

    root: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def environment(self) -> dict[str, str]:
        temporary = self.root / "tmp"  # the lock of the device, which other tests use too
        temporary.mkdir(exist_ok=True)
        return environment_of(self.home) | {
            "TMPDIR": str(temporary),
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_WORKER_HEARTBEAT_SECONDS": "5",
            "COLUMNS": "200",
            **self.settings,
        }

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process in a group of its own; what it prints goes to a file."""
        with (self.root / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(BIN / command[0]), *command[1:]],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def start_server(self) -> None:
        self.start("server", "prefect", "server", "start")
        wait_for(self.is_healthy, "the server answers", 240)

    def start_worker(self) -> None:
        self.start("worker", "prefect", "worker", "start", "--pool", "samehand")
        wait_for(self.has_worker, "the worker is online", 240)

    def ensure_up(self) -> None:
        """Restart what an earlier test stopped."""
        if "server" not in self.processes:
            self.start_server()
        if "worker" not in self.processes:
            self.start_worker()

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill one process; its children live on."""
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait()

    def stop(self) -> None:
        """Kill whatever is left, children too."""
        for process in self.processes.values():
            kill_group(process.pid)
            process.wait()
        for pid in self.engines():
            kill_group(pid)

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.api}/health", timeout=5).is_success
        except httpx.TransportError:
            return False

    def has_worker(self) -> bool:
        found = self.ask("work_pools/samehand/workers/filter", {})
        return any(worker["status"] == "ONLINE" for worker in found)

    def ask(self, path: str, body: Json | None = None) -> Any:
        """Put a question to Prefect's API: GET, or POST where there is a body.

        Asked again for a while, as Prefect's own client does: its SQLite can be busy.
        """
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = httpx.request(
                    "GET" if body is None else "POST", f"{self.api}/{path}", json=body, timeout=15
                )
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return answer.raise_for_status().json()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def prefect(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Prefect's own command in the checkout, as an operator does."""
        return self.command("prefect", *arguments)

    def command(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in the checkout."""
        return subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run_documented(self, command: Sequence[str]) -> str:
        """Run a documented command, which must succeed; return what it printed."""
        done = self.command(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def here(self) -> Iterator[None]:
        """Have Prefect's client in this process talk to this site's server."""
        from prefect.settings import PREFECT_API_URL, temporary_settings

        with temporary_settings({PREFECT_API_URL: self.api}):
            yield

    def deployment(self, name: str) -> Json:
        return self.ask(f"deployments/name/{name}/{name}")  # type: ignore[no-any-return]

    def run(self, name: str, **parameters: Any) -> str:
        """Have a deployment run as soon as the worker can; returns the flow run's id."""
        body = {
            "parameters": parameters,
            "state": {"type": "SCHEDULED"},
            "idempotency_key": uuid4().hex,
        }
        deployment = self.deployment(name)["id"]
        return str(self.ask(f"deployments/{deployment}/create_flow_run", body)["id"])

    def last_event(self, flow_run: str, name: str) -> Json:
        """Return the newest event of that name about a flow run."""
        about = {"resource": {"id": [f"prefect.flow-run.{flow_run}"]}, "event": {"name": [name]}}
        wait_for(
            lambda: bool(self.ask("events/filter", {"filter": about})["events"]),
            f"there is an event {name}",
            60,
        )
        return dict(self.ask("events/filter", {"filter": about})["events"][0])

    def emit(self, event: Json) -> None:
        """Send an event as if it happened now."""
        now = {"id": str(uuid4()), "occurred": datetime.now(UTC).isoformat()}
        answer = httpx.post(f"{self.api}/events", json=[event | now], timeout=15)
        assert answer.is_success, answer.text

    def cancel(self, *flow_runs: str) -> None:
        for flow_run in flow_runs:
            self.ask(f"flow_runs/{flow_run}/set_state", {"state": {"type": "CANCELLING"}})
        for flow_run in flow_runs:
            self.wait_until(flow_run, "CANCELLED")

    def end(self, flow_run: str) -> None:
        """End a run that no worker has taken yet."""
        self.ask(f"flow_runs/{flow_run}/set_state", {"state": {"type": "CANCELLED"}, "force": True})

    def pause_trainings(self, paused: bool = True) -> None:
        """Have workers take no more runs of the queue of trainings, or take them again."""
        queue = self.ask("work_pools/samehand/queues/training")["id"]
        answer = httpx.patch(f"{self.api}/work_queues/{queue}", json={"is_paused": paused})
        answer.raise_for_status()

    def flow_run(self, flow_run: str) -> Json:
        return self.ask(f"flow_runs/{flow_run}")  # type: ignore[no-any-return]

    def state(self, flow_run: str) -> str:
        return str(self.flow_run(flow_run)["state_type"])

    def wait_until(self, flow_run: str, *states: str, seconds: float = 240) -> None:
        try:
            wait_for(lambda: self.state(flow_run) in states, f"{flow_run} is {states}", seconds)
        except AssertionError as error:
            error.add_note(f"it is {self.state(flow_run)}")
            raise

    def sql(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the results database."""
        database = self.home / "results.db"
        if not database.exists():
            return []
        with sqlite3.connect(database, timeout=30) as connection:
            try:
                return connection.execute(question, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # the tables are not there yet
                    return []
                raise

    def status(self, flow_run: str) -> str | None:
        rows = self.sql("SELECT status FROM runs WHERE prefect_flow_run_id = ?", flow_run)
        return rows[0][0] if rows else None

    def epochs(self, flow_run: str) -> int:
        return int(
            self.sql(
                "SELECT count(*) FROM epochs JOIN runs ON runs.id = run_id"
                " WHERE prefect_flow_run_id = ?",
                flow_run,
            )[0][0]
        )

    def wait_for_epoch(self, flow_run: str, count: int = 1) -> None:
        def has_epochs() -> bool:
            return self.status(flow_run) is not None and self.epochs(flow_run) >= count

        wait_for(has_epochs, f"{flow_run} has {count} epochs", 240)

    def log(self, name: str) -> str:
        """Return what a process has printed so far."""
        file = self.root / f"{name}.log"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def reported_kills(self) -> int:
        """Count the killed processes that the worker has finished with.

        The worker reports a crash twice: once before the flow's hooks run, and once after them,
        which takes seconds. The second report undoes a retry that has not started by then. This
        line is what the worker prints last.
        """
        return self.log("worker").count("prefect.flow_runs.worker - Check whether the flow run")

    def engines(self, flow_run: str = "") -> list[int]:
        """Return the processes of this site's flow runs."""
        ours = f"PREFECT_API_URL={self.api}".encode()
        wanted = f"PREFECT__FLOW_RUN_ID={flow_run}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if ours in environment and any(entry.startswith(wanted) for entry in environment):
                found.append(int(folder.name))
        return sorted(found)


def documented(section: str) -> list[list[str]]:
    """Return the commands of a section of docs/operating.md."""
    return [shlex.split(line, comments=True) for line in lines_of(section, "sh")]


def push_step(name: str) -> Json:
    """Return the options of a step that is taken as a deployment is registered."""
    (options,) = [step[name] for one in DEPLOYMENTS for step in one.get("push", ()) if name in step]
    return dict(options)


def lines_of(section: str, language: str) -> list[str]:
    """Return the lines of a section's blocks in docs/operating.md."""
    page = (CHECKOUT / "docs/operating.md").read_text(encoding="utf-8")
    (body,) = [part for part in page.split("\n## ") if part.startswith(section)]
    blocks = re.findall(f"```{language}\n(.*?)```", body, re.DOTALL)
    return "".join(blocks).splitlines()


def wait_for(holds: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait until something holds; returns how long that took, in seconds."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"after {seconds} s still not so: {what}")
        time.sleep(0.2)
    return time.monotonic() - start


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        os.kill(pid, signal.SIGKILL)


def tiny(**changes: Any) -> Json:
    """Settings for a run of seconds, as the UI's form sends them."""
    return {name: json.loads(value) if value[0].isdigit() or value in PLAIN else value
            for name, value in TINY.items()} | changes  # fmt: skip


PLAIN = ("null", "true", "false")


@dataclass(frozen=True)
class Outcome:
    """What was killed, and what happened then."""

    killed: str
    then: str
    seconds: float

    @property
    def took(self) -> str:
        return "under 1 s" if self.seconds < 1 else f"{self.seconds:.0f} s"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what server and worker printed last where a test of them fails."""
    report = yield
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and isinstance(site, Site):
        for name in ("server", "worker"):
            lines = site.log(name).splitlines()[-80:]
            report.sections.append((f"the end of {name}.log", "\n".join(lines)))
    return report


@pytest.fixture(scope="session")
def outcomes() -> Iterator[list[Outcome]]:
    """What the tests of faults saw; `make faults` writes it into the document for operators."""
    seen: list[Outcome] = []
    yield seen
    document = os.environ.get("SAMEHAND_FAULT_TABLE")
    if document and seen:
        rows = [f"| {one.killed} | {one.then} | {one.took} |" for one in seen]
        head = "| killed during a training | result | observed after |\n|---|---|---|"
        write_table(Path(document), "faults", head, rows)


def write_table(document: Path, name: str, head: str, rows: Sequence[str]) -> None:
    """Replace a table of a document, between the comments that name it."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    table = "\n".join((begin, head, *rows, end))
    before = document.read_text(encoding="utf-8")
    text = re.sub(f"{begin}.*{end}", lambda _: table, before, flags=re.DOTALL)
    document.write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with everything deployed as documented, and a worker."""
    site = Site(tmp_path_factory.mktemp("site"), free_port())
    port = site.port
    server, address, pool, deploy, worker, *_ = documented("One machine")
    try:
        site.start("server", *server)
        wait_for(site.is_healthy, "the server answers", 240)
        site.run_documented([word.replace("4200", str(port)) for word in address])
        site.run_documented(pool)
        site.run_documented(deploy)
        site.start("worker", *worker)
        wait_for(site.has_worker, "the worker is online", 240)
        yield site
    finally:
        site.stop()
