"""Arrays are read as they were written, and nothing else is read."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from storage.arrays import Array, load_arrays, save_arrays
from storage.errors import InputError


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.sprung,)


def test_arrays_are_read_with_their_names_types_and_shapes(tmp_path: Path) -> None:
    arrays: dict[str, Array] = {
        "rows": np.arange(6, dtype=np.int64).reshape(2, 3),
        "embeddings": np.array([[0.1, -2.5]], dtype=np.float32),
        "same": np.array([True, False]),
        "names": np.array(["Édouard", ""]),
        "none": np.empty((0, 4)),
    }
    save_arrays(tmp_path / "deep" / "arrays.npz", arrays)
    loaded = load_arrays(tmp_path / "deep" / "arrays.npz")
    assert list(loaded) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)


def test_objects_are_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    save_arrays(path, {"x": np.arange(3)})
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(path, {"x": np.array([{}], dtype=object)})
    assert load_arrays(path)["x"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("bare", [True, False])
def test_objects_are_refused_without_being_unpickled(tmp_path: Path, bare: bool) -> None:
    path, sprung = tmp_path / "arrays.npz", tmp_path / "sprung"
    if bare:
        path.write_bytes(pickle.dumps(Trap(sprung)))
    else:
        np.savez(path, x=np.array([Trap(sprung)], dtype=object))
    with pytest.raises(InputError, match=r"arrays\.npz does not hold the arrays"):
        load_arrays(path)
    assert not sprung.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npz does not hold the arrays of a run"):
        load_arrays(tmp_path / "none.npz")


def test_a_file_of_a_single_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(InputError, match=r"arrays\.npz"):
        load_arrays(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    save_arrays(path, {"x": np.arange(20), "y": np.ones(3)})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"arrays\.npz"):
            load_arrays(path)


def test_a_damaged_file_gives_an_input_error_or_the_right_arrays(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    save_arrays(path, {"x": np.arange(20)})
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            load_arrays(path)
        except InputError:
            refused += 1
    assert refused > len(whole) // 2  # dates and the like in the zip may be anything
