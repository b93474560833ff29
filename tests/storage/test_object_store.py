"""Files of workspaces in a real object store, seen from two machines: two caches of one store."""

import os
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from s3fs import S3FileSystem

from flows.environment import workspace
from storage.errors import InputError, UnavailableError
from storage.files import (
    fetch_folder,
    is_taken,
    present,
    publish_folder,
    remove,
    replacing,
    write_atomically,
)
from storage.object_store import address_of, cache_of, list_files
from storage.workspace import Workspace
from tests.ports import free_port

SERVER = "postgresql+psycopg://anna@db.example/samehand"


@pytest.fixture
def address(object_store: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place in the store."""
    for name, value in object_store.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()  # it has read the environment once
    return f"s3://paintings/{uuid4().hex}"


@pytest.fixture
def caches(address: str, tmp_path: Path) -> tuple[Path, Path]:
    """The caches of that place on two machines."""
    one, two = (cache_of(address, tmp_path / name) for name in ("one", "two"))
    return one, two


def seen_by_boto(address: str, path: str) -> bytes:
    """What any other program sees of a file."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    found = boto3.client("s3").get_object(Bucket=bucket, Key=f"{prefix}/{path}")
    content: bytes = found["Body"].read()
    return content


@given(st.from_regex(r"[a-z0-9.-]{3,20}(/[A-Za-z0-9 _é%.-]{1,9}){0,3}", fullmatch=True))
def test_a_path_in_a_cache_tells_its_address(place: str) -> None:
    cache = cache_of(f"s3://{place}/", Path("/var/cache"))
    assert cache.parent == Path("/var/cache")
    assert address_of(cache) == f"s3://{place}"
    assert address_of(cache / "runs" / "7" / "report.md") == f"s3://{place}/runs/7/report.md"
    assert address_of(Path("/var/cache") / place / "report.md") is None


def test_a_written_file_is_on_the_other_machine(caches: tuple[Path, Path], address: str) -> None:
    one, two = caches
    write_atomically(one / "runs" / "report.md", b"first")
    assert seen_by_boto(address, "runs/report.md") == b"first"
    assert present(two / "runs" / "report.md").read_bytes() == b"first"
    write_atomically(one / "runs" / "report.md", b"again")  # as long as the first
    os.utime(two / "runs" / "report.md", (0, 0))  # as if written long before
    assert present(two / "runs" / "report.md").read_bytes() == b"again"
    assert not list(two.rglob("*.partial"))


def test_what_has_not_changed_is_not_fetched_again(caches: tuple[Path, Path]) -> None:
    one, two = caches
    write_atomically(one / "crops.zip", b"crops")
    fetched = present(two / "crops.zip").stat()
    assert present(two / "crops.zip").stat().st_ino == fetched.st_ino
    written = (one / "crops.zip").stat()
    assert present(one / "crops.zip").stat().st_ino == written.st_ino


def test_the_store_has_the_old_file_until_the_new_one_is_whole(
    caches: tuple[Path, Path], address: str
) -> None:
    one, _ = caches
    write_atomically(one / "features.npy", b"old")

    def fail() -> None:
        with replacing(one / "features.npy") as partial:
            partial.write_bytes(b"half")
            assert seen_by_boto(address, "features.npy") == b"old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen_by_boto(address, "features.npy") == b"old"
    assert list_files(address) == [f"{address}/features.npy"]


def test_a_missing_file_is_missing(caches: tuple[Path, Path]) -> None:
    one, _ = caches
    assert not present(one / "catalog.csv").exists()
    (one / "runs").mkdir(parents=True)
    (one / "runs" / "plot.png").write_bytes(b"drawn")
    assert present(one / "runs" / "plot.png").read_bytes() == b"drawn"  # in the cache alone
    remove(one / "nothing")


def test_a_file_is_removed_alone_and_a_folder_with_all_in_it(caches: tuple[Path, Path]) -> None:
    one, two = caches
    for name in ("a", "ab", "shards/1", "shards/2/3", "shards-kept/1"):
        write_atomically(one / name, b"x")
    remove(one / "a")
    remove(one / "shards")
    left = ["ab", "shards-kept/1"]
    assert sorted(str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()) == left
    fetch_folder(two)
    assert sorted(str(path.relative_to(two)) for path in two.rglob("*") if path.is_file()) == left
    assert not is_taken(two / "shards")
    assert is_taken(two / "shards-kept")


def test_a_folder_is_published_without_locks_and_halves(caches: tuple[Path, Path]) -> None:
    one, two = caches
    write_atomically(one / "run" / "epoch-001.pt", b"weights")
    for name in ("plot.png", "run.lock", ".plot.png.1234.partial"):
        (one / "run" / name).write_bytes(b"drawn")
    publish_folder(one / "run")
    fetch_folder(two / "run")
    assert {path.name for path in (two / "run").iterdir()} == {"epoch-001.pt", "plot.png"}
    assert (two / "run" / "plot.png").read_bytes() == b"drawn"


def test_a_name_that_leads_out_of_its_folder_is_refused(
    caches: tuple[Path, Path], address: str
) -> None:
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=f"{prefix}/run/../../outside", Body=b"x")
    with pytest.raises(InputError, match=r"/run/\.\./\.\./outside: leads out of its folder"):
        fetch_folder(caches[0] / "run")
    assert not list(caches[0].parent.rglob("outside"))


def test_a_new_run_gets_a_folder_that_the_store_does_not_have(caches: tuple[Path, Path]) -> None:
    one, two = (Workspace(cache, SERVER) for cache in caches)
    write_atomically(one.home / one.new_run_folder("0001-train") / "report.md", b"kept")
    assert two.new_run_folder("0001-train") == "runs/0001-train-2"
    assert one.identity() == two.identity()


def test_one_line_says_what_is_wrong_with_the_store(
    caches: tuple[Path, Path], address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = cache_of("s3://no-such-bucket/x", tmp_path)
    with pytest.raises(InputError, match=r"^s3://no-such-bucket/x/a: the object store has no "):
        write_atomically(missing / "a", b"x")
    assert not (missing / "a").exists()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(UnavailableError, match=f"^{address}/a: the object store does not serve"):
        write_atomically(caches[0] / "a", b"x")


@pytest.mark.parametrize(
    ("home", "url", "said"),
    [
        ("s3://paintings/x", None, "cannot hold an SQLite database; name a PostgreSQL database in"),
        ("s3://paintings/x", "sqlite:///results.db", "cannot hold an SQLite database"),
        ("s3://", SERVER, "write it as s3://bucket/prefix"),
        ("ftp://paintings/x", SERVER, "write it as s3://bucket/prefix"),
        ("s3://anna:secret@paintings", SERVER, "a key does not belong there"),
    ],
)
def test_a_home_that_cannot_serve_is_refused_in_one_line(
    home: str, url: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMEHAND_HOME", home)
    monkeypatch.delenv("SAMEHAND_DATABASE_URL", raising=False)
    if url:
        monkeypatch.setenv("SAMEHAND_DATABASE_URL", url)
    with pytest.raises(InputError, match=said) as caught:
        workspace()
    assert "secret" not in str(caught.value)
