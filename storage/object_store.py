"""A workspace in an object store: a folder of each machine is its cache.

The folder is named after the store's address, so a path alone tells where its file is in the store.
This works on every machine that has its cache at the same place.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from storage.errors import InputError, UnavailableError, is_full

SCHEME = "s3://"
MARK = quote(SCHEME, safe="")  # how the names of caches begin, and no other folder's


def is_address(home: str) -> bool:
    """Return whether a home is an address and not a folder."""
    return "://" in home


def cache_of(address: str, parent: Path) -> Path:
    """Return the cache of the store at an address, a folder in ``parent``.

    Raises InputError if the address cannot be used, or s3fs is not installed.
    """
    bucket, _, prefix = address.removeprefix(SCHEME).strip("/").partition("/")
    if not address.startswith(SCHEME) or not bucket:
        raise InputError(f"SAMEHAND_HOME={address}: write it as s3://bucket/prefix, or as a folder")
    if "@" in bucket:
        raise InputError("SAMEHAND_HOME: a key does not belong there; set AWS_SECRET_ACCESS_KEY")
    try:
        import s3fs  # noqa: F401 - an extra that fsspec needs
    except ImportError as error:
        raise InputError(f"SAMEHAND_HOME={address} needs s3fs: install samehand[s3]") from error
    name = quote("/".join(filter(None, (SCHEME + bucket, prefix))), safe="")
    return parent.expanduser().absolute() / name


def address_of(path: Path) -> str | None:
    """Return where the file of a path in a cache is in the store; None for any other path."""
    for place, part in enumerate(path.parts):
        if part.startswith(MARK):
            return "/".join((unquote(part), *path.parts[place + 1 :]))
    return None


def put(file: Path, address: str) -> float:
    """Write a file to the store, where it appears as a whole; return when it did."""
    with _store(address) as store:
        try:
            store.put_file(str(file), address)
        except FileNotFoundError as error:
            raise InputError(f"{address}: the object store has no such bucket; make it") from error
        return _moment(store.info(address))


def get(address: str, file: Path) -> None:
    """Read a file from the store. Raises FileNotFoundError if it is gone."""
    with _store(address) as store:
        store.get_file(address, str(file))


def look_up(address: str) -> tuple[int, float] | None:
    """Return the size in bytes of a file in the store, and when it was written; None without it."""
    with _store(address) as store, suppress(FileNotFoundError):
        found = store.info(address)
        if found["type"] == "file":
            return found["size"], _moment(found)
    return None


def list_files(address: str) -> list[str]:
    """Return the addresses of all files below an address."""
    with _store(address) as store:
        return [SCHEME + name for name in store.find(address)]


def remove(address: str) -> None:
    """Remove a file from the store, or all files below an address; there may be none."""
    with _store(address) as store, suppress(FileNotFoundError):
        store.rm(address, recursive=True)


def _moment(found: dict[str, Any]) -> float:
    moment: float = found["LastModified"].timestamp()
    return moment


@contextmanager
def _store(address: str) -> Iterator[Any]:
    """Yield the store of an address; raise InputError in one line if it does not serve."""
    import fsspec
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    try:
        yield fsspec.filesystem("s3", use_listings_cache=False)
    except FileNotFoundError:
        raise
    except (PermissionError, NoCredentialsError) as error:
        raise InputError(
            f"{address}: the object store refuses it ({_words(error)}); check AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, or the profile"
        ) from error
    except (OSError, BotoCoreError) as error:
        if is_full(error):
            raise  # of the disk here
        raise UnavailableError(
            f"{address}: the object store does not serve it ({_words(error)})"
        ) from error


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
