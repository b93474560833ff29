"""Settings: the reference's numbers, and refusals that begin with the setting's name."""

from pathlib import Path

import pytest

from flows.assignments import parse_assignments
from flows.errors import SettingsError
from flows.settings import PRESETS, Settings, check_overrides, resolve
from model.errors import ModelInputError
from model.recipe import Recipe
from model.shape import NetworkShape
from model.warp_draws import BOUNDS, WarpRanges
from storage.datasets.crop import CropRules


def test_the_reference_preset_is_the_reference_method() -> None:
    settings = resolve("reference", {})
    assert settings.network_shape() == NetworkShape()
    assert settings.recipe() == Recipe()
    assert settings.crop_rules() == CropRules()
    assert (settings.train_triplets, settings.test_triplets) == (30_000, 6_000)
    assert (settings.epochs, settings.patience, settings.precision) == (20, 0, "float32")
    assert (settings.weights, settings.validation_artists) == ("pretrained", 190)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_gives_every_setting_and_no_other(preset: str) -> None:
    assert set(resolve(preset, {}).model_dump()) == set(Settings.model_fields)


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ({"margin": 0}, "margin"),
        ({"epochs": "many"}, "epochs"),
        ({"crop_size": 8}, "crop_size"),
        ({"rejected_share": 1.5}, "rejected_share"),
        ({"precision": "float8"}, "precision"),
        ({"epoch": 3}, "epoch"),
        ({"device": "gpu"}, "device"),
        ({"scale_low": 2.0, "scale_high": 1.0}, "scale_low"),
        ({"validation_artists": -1}, "validation_artists"),
        ({"validation_artists": 2.5}, "validation_artists"),
        ({"resize_short_side": 100}, "resize_short_side"),
        ({"learning_rate": float("nan")}, "learning_rate"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(
    overrides: dict[str, object], name: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        resolve("reference", overrides)
    assert str(refusal.value).startswith(name)
    assert "\n" not in str(refusal.value)


def test_overrides_alone_are_checked_one_by_one() -> None:
    check_overrides({"resize_short_side": 96})  # less than the reference's crop, not the demo's
    with pytest.raises(SettingsError, match=r"^resize_short_side"):
        check_overrides({"resize_short_side": 3})


def test_an_unknown_preset_is_refused_with_those_that_exist() -> None:
    with pytest.raises(
        SettingsError, match="preset: there is no 'fast'; there are best, demo, reference"
    ):
        resolve("fast", {})


def test_settings_survive_being_stored() -> None:
    settings = resolve("demo", {"matched_on": None})
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("epochs=3", 3),
        ("learning_rate=1e-4", 1e-4),
        ("matched_on=null", None),
        ("matched_on=collection", "collection"),
        ("weights=none", "none"),
        ("weights=/a b/c=d.pth", "/a b/c=d.pth"),
    ],
)
def test_values_are_read_as_people_write_them(assignment: str, value: object) -> None:
    assert list(parse_assignments([assignment]).values()) == [value]


@pytest.mark.parametrize("assignments", [["epochs"], ["=3"], ["epochs=3", "epochs=4"]])
def test_what_is_no_assignment_is_refused(assignments: list[str]) -> None:
    with pytest.raises(SettingsError):
        parse_assignments(assignments)


def test_the_form_has_the_bounds_of_the_warp_itself() -> None:
    form = Settings.model_json_schema()["properties"]
    for name, (low, high) in BOUNDS.items():
        assert (form[name]["minimum"], form[name]["maximum"]) == (low, high)
        with pytest.raises(ModelInputError, match=name):
            WarpRanges(**{name: high + 0.01})


def test_a_file_of_weights_is_named_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("demo", {"weights": "resnet.pt"}).weights == str(tmp_path / "resnet.pt")
    assert resolve("demo", {"weights": "none"}).weights == "none"
