"""Files are written atomically."""

import hashlib
import stat
from pathlib import Path

import pytest

from storage.files import replacing, sha256_of, write_atomically


def test_missing_folders_are_created(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "data.bin"
    write_atomically(target, b"painted")
    assert target.read_bytes() == b"painted"
    assert list(target.parent.iterdir()) == [target]


def test_a_reader_keeps_the_old_file_when_it_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "data.bin"
    target.write_bytes(b"old")
    with target.open("rb") as reader:
        write_atomically(target, b"new, and longer")
        assert reader.read() == b"old"
    assert target.read_bytes() == b"new, and longer"


def test_the_target_is_absent_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "data.bin"
    with replacing(target) as partial:
        partial.write_bytes(b"half")
        assert partial.parent == target.parent
        assert not target.exists()
    assert target.read_bytes() == b"half"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    target = tmp_path / "data.bin"
    target.write_bytes(b"old")

    def fail() -> None:
        with replacing(target) as partial:
            partial.write_bytes(b"half")
            raise failure

    with pytest.raises(failure):
        fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_of_one_target_do_not_interfere(tmp_path: Path) -> None:
    target = tmp_path / "data.bin"
    with replacing(target) as first, replacing(target) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert target.read_bytes() == b"first"  # the outer block ends last
    assert list(tmp_path.iterdir()) == [target]


def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_bytes(b"")
    write_atomically(tmp_path / "atomic", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "atomic")}
    assert len(modes) == 1


def test_sha256_covers_the_whole_file(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "data.bin").write_bytes(data)
    assert sha256_of(tmp_path / "data.bin") == hashlib.sha256(data).hexdigest()
    (tmp_path / "abc").write_bytes(b"abc")  # the first example of FIPS 180-2
    assert sha256_of(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")
