"""An object store to test with: moto's server, as a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.ports import free_port


@contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """A running store that holds nothing; yields the environment of its users."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1"]
    server = subprocess.Popen([*command, "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        while True:
            assert server.poll() is None, "the object store ends at once"
            with suppress(httpx.TransportError):
                httpx.put(f"{address}/paintings").raise_for_status()  # makes a bucket
                break
            time.sleep(0.1)
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "anna",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.kill()
        server.wait()
