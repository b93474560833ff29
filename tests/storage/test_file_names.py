import pytest

from storage.file_names import file_name_fault


@pytest.mark.parametrize(
    "name", ["1.jpg", "Claude Monet/été, 1870.jpg", "a/..b/c..jpg", "train.zip/train/1.jpg"]
)
def test_a_plain_relative_path_passes(name: str) -> None:
    assert file_name_fault(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../1.jpg", "leaves the folder"),
        ("a/../../1.jpg", "leaves the folder"),
        ("..", "leaves the folder"),
        ("/etc/passwd", "absolute"),
        ("C:/1.jpg", "absolute"),
        ("c:1.jpg", "absolute"),
        ("a\\1.jpg", "backslash"),
        ("a\0.jpg", "NUL"),
        ("a//1.jpg", "empty part"),
        ("a/", "empty part"),
        ("https://example.org/1.jpg", "a web address; fetch the image"),
        ("./1.jpg", "only a dot"),
        ("caf\udce9.jpg", "not UTF-8"),
        (f"a/{'é' * 128}", "longer than 255 bytes"),
    ],
)
def test_a_name_that_could_leave_the_folder_or_has_two_spellings_is_refused(
    name: str, reason: str
) -> None:
    assert reason in str(file_name_fault(name))
