"""Settings: the reference's numbers, and refusals that begin with the setting's name."""

import json
from pathlib import Path

import pytest

from flows.assignments import parse_assignments
from flows.errors import SettingsError
from flows.presets import PRESETS
from flows.settings import (
    EvaluationSettings,
    Settings,
    check_evaluation_settings,
    preset_values,
    resolve,
    resolve_for_evaluation,
)
from model.errors import ModelInputError
from model.recipe import Recipe
from model.shape import NetworkShape
from model.warp_draws import BOUNDS, WarpRanges
from storage.datasets.crop import CropRules


def test_the_reference_preset_is_the_reference_method() -> None:
    settings = resolve("reference", {})
    assert settings == Settings()
    assert settings.network_shape() == NetworkShape()
    assert settings.recipe() == Recipe()
    assert settings.crop_rules() == CropRules()
    assert (settings.train_triplets, settings.test_triplets) == (30_000, 6_000)
    assert (settings.epochs, settings.patience, settings.precision) == (20, 0, "float32")
    assert (settings.weights, settings.validation_artists) == ("pretrained", 190)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_names_only_what_differs_from_the_reference(preset: str) -> None:
    reference, values = resolve("reference", {}).model_dump(), resolve(preset, {}).model_dump()
    differing = {name for name, value in values.items() if value != reference[name]}
    named = {name for name, value in PRESETS[preset].items() if value is not None}  # type: ignore[index]
    assert named == differing
    assert preset_values(preset) == values


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ({"margin": 0}, "margin"),
        ({"margin": float("inf")}, "margin"),
        ({"epochs": "many"}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"epochs": 3.0}, "epochs"),
        ({"epochs": "3"}, "epochs"),
        ({"seed": True}, "seed"),
        ({"mirrored": 1}, "mirrored"),
        ({"mirrored": "yes"}, "mirrored"),
        ({"hidden_size": 99_999_999_999}, "hidden_size"),
        ({"train_triplets": 2**63 - 1}, "train_triplets"),
        ({"crop_size": 8}, "crop_size"),
        ({"rejected_share": 1.5}, "rejected_share"),
        ({"precision": "float8"}, "precision"),
        ({"epoch": 3}, "epoch"),
        ({"device": "gpu"}, "device"),
        ({"weights": None}, "weights"),
        ({"validation_artists": -1}, "validation_artists"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        # What settings say of each other
        ({"scale_low": 2.0, "scale_high": 1.0}, "scale_low"),
        ({"validation_artists": 2.5}, "validation_artists"),
        ({"resize_short_side": 100}, "resize_short_side"),
        ({"loss": "contrastive"}, "loss"),
        ({"folds": 2, "fold": 3}, "fold"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(
    overrides: dict[str, object], name: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        resolve("reference", overrides)
    assert str(refusal.value).startswith(name)
    assert "\n" not in str(refusal.value)


def test_every_number_has_an_upper_bound() -> None:
    schema = Settings.model_json_schema()["properties"]
    for name, field in schema.items():
        for kind in field.get("anyOf", [field]):
            if kind.get("type") in ("integer", "number"):
                assert kind.keys() & {"maximum", "exclusiveMaximum"}, name


@pytest.mark.parametrize("name", ["crop_size", "hidden_size", "epochs", "margin", "seed"])
def test_an_evaluation_cannot_change_what_a_model_was_trained_with(name: str) -> None:
    told = rf"^{name}: an evaluation cannot change it; it can change .*resamples"
    trained = resolve("demo", {})
    overrides = {name: getattr(trained, name)}
    with pytest.raises(SettingsError, match=told):
        check_evaluation_settings(overrides)
    with pytest.raises(SettingsError, match=told):
        resolve_for_evaluation(trained, overrides)


def test_an_evaluation_keeps_the_models_settings_but_those_that_it_changes() -> None:
    trained = resolve("demo", {"epochs": 3, "device": "cpu"})
    evaluated = resolve_for_evaluation(trained, {"resamples": 200, "matched_on": "none"})
    changed = trained.model_dump() | {"resamples": 200, "matched_on": None}
    assert evaluated.model_dump() == changed
    with pytest.raises(SettingsError, match=r"^resamples"):
        check_evaluation_settings({"resamples": 1})
    with pytest.raises(SettingsError, match=r"^resample: .*Did you mean resamples\?"):
        check_evaluation_settings({"resample": 200})


def test_an_unknown_preset_is_refused_with_those_that_exist() -> None:
    with pytest.raises(
        SettingsError, match="preset: there is no 'fast'; choose from best, demo, reference"
    ):
        resolve("fast", {})


def test_settings_survive_being_stored() -> None:
    settings = resolve("demo", {"matched_on": None, "learning_rate": 1})
    stored = json.loads(json.dumps(settings.model_dump(mode="json")))
    assert Settings.model_validate(stored) == settings


def test_settings_of_a_former_run_still_load() -> None:
    """It had fewer of them, and called the packaged weights by another name."""
    former = Settings.model_validate({"seed": 3, "epochs": 5, "weights": "imagenet"})
    assert former == Settings(seed=3, epochs=5)


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("epochs=3", 3),
        ("learning_rate=1e-4", 1e-4),
        ("learning_rate=0.5", 0.5),
        ("matched_on=null", None),
        ("matched_on=collection", "collection"),
        ("mirrored=true", True),
        ("mirrored=False", False),
        ("epochs=yes", "yes"),
        ("epochs=12:30:00", "12:30:00"),
        ("weights=none", "none"),
        ("weights=/a b/c=d.pth", "/a b/c=d.pth"),
    ],
)
def test_values_are_read_as_people_write_them(assignment: str, value: object) -> None:
    (read,) = parse_assignments([assignment]).values()
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ["none", "null"])
@pytest.mark.parametrize("name", ["matched_on", "resize_short_side"])
def test_none_and_null_unset_an_optional_setting(name: str, text: str) -> None:
    settings = resolve("best", parse_assignments([f"{name}={text}"]))
    assert getattr(settings, name) is None


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


def test_the_form_fills_nothing_in_and_tells_the_presets_values() -> None:
    from flows.evaluate import evaluate_flow
    from flows.train import train_flow

    form = train_flow.parameters.model_dump()["definitions"] | {
        "properties": train_flow.parameters.properties
    }
    text = json.dumps(form)
    assert "(best 256, demo 96, reference 224)" in text
    of_evaluation = json.dumps(evaluate_flow.parameters.model_dump())
    assert "crop_size" not in of_evaluation
    assert all(name in of_evaluation for name in EvaluationSettings.model_fields)


def test_a_file_of_weights_is_named_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("demo", {"weights": "resnet.pt"}).weights == str(tmp_path / "resnet.pt")
    assert resolve("demo", {"weights": "none"}).weights == "none"
