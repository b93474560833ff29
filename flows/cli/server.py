"""Prefect's temporary server: starts while other modules are imported, ends with this process."""

import atexit
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import MutableMapping
from dataclasses import dataclass
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import IO
from urllib.error import HTTPError

LOOPBACK = ("127.0.0.1", "localhost")
STARTUP_SECONDS = 180  # a fresh Prefect home on a small machine takes a minute
ANSWER_SECONDS = 10
STOP_SECONDS = 5

# Ends when its standard input does. That is a pipe from samehand, which the system closes however
# samehand ends. A session of its own keeps the terminal's Ctrl-C away from it.
PROGRAM = """
import os, socket, sys, threading
import uvicorn

app = "prefect.server.api.server:create_app"
server = uvicorn.Server(uvicorn.Config(app, factory=True, log_level="error", lifespan="on"))

def end_with_samehand():
    sys.stdin.read()
    server.should_exit = True
    threading.Event().wait(3)
    os._exit(0)

threading.Thread(target=end_with_samehand, daemon=True).start()
server.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
AS_TEMPORARY = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "0",  # samehand uses no blocks
}


class ServerError(RuntimeError):
    """Prefect's server does not start or does not answer."""


@dataclass(frozen=True, slots=True)
class TemporaryServer:
    """A server process of our own, and the file that its messages go to."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: IO[bytes]

    def wait_until_ready(self) -> None:
        """Return once the server answers. Raises ServerError if it ends before, or never does."""
        deadline = time.monotonic() + STARTUP_SECONDS
        while not answers(self.url, seconds=1):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                cause = cause_in(self.log.read().decode(errors="replace"))
                raise ServerError(f"Prefect's temporary server did not start: {cause}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server and wait for that."""
        if not answers(self.url, seconds=0.1):
            self.process.kill()
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def start_server(quiet: bool) -> TemporaryServer | None:
    """Start a temporary server for this process; None if Prefect's settings name a server.

    Raises ServerError if the named server does not answer.
    """
    from prefect.context import refresh_global_settings_context
    from prefect.settings import PREFECT_API_URL, get_current_settings

    if named := PREFECT_API_URL.value():
        if not answers(named, ANSWER_SECONDS):
            raise ServerError(
                f"Prefect's server at {named} does not answer; start it, or do without it:"
                " prefect config unset PREFECT_API_URL"
            )
        return None
    if not quiet:
        sys.stderr.write("starting Prefect's server …\n")
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    log = TemporaryFile()  # noqa: SIM115 - open as long as the server runs
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(listener.fileno())],
            env=os.environ | AS_TEMPORARY | settings,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    server = TemporaryServer(url, process, log)
    atexit.register(server.stop)  # Prefect sends its last messages before
    os.environ["PREFECT_API_URL"] = url
    refresh_global_settings_context()
    return server


def answers(url: str, seconds: float) -> bool:
    """Whether a Prefect server answers at ``url``, whatever it says."""
    try:
        urllib.request.urlopen(f"{url}/health", timeout=seconds).close()
    except HTTPError:
        return True
    except OSError as error:  # Prefect may know the certificate
        return isinstance(getattr(error, "reason", None), ssl.SSLError)
    return True


def cause_in(log: str) -> str:
    """Return the line of a server's log that says why it ended: its last error, or its last line.

    >>> cause_in("starting\\nsqlite3.OperationalError: unable to open database file\\nExiting.")
    'sqlite3.OperationalError: unable to open database file'
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(\w+\.)*\w+(Error|Exception): ", line)]
    return (errors or lines or ["it ended without a message"])[-1]


def bypass_proxies(environment: MutableMapping[str, str]) -> None:
    """Reach this machine without a proxy, and drop proxies that Prefect's client cannot use.

    The client does not start if SOCKS proxies are set and it has no support for them.
    """
    for name in ("NO_PROXY", "no_proxy"):
        there = environment.get(name, "").split(",")
        environment[name] = ",".join(filter(None, dict.fromkeys([*there, *LOOPBACK])))
    if find_spec("socksio") is None:
        for name, proxy in list(environment.items()):
            if name.lower().endswith("_proxy") and proxy.startswith("socks"):
                del environment[name]
