"""Settings as people give them: a preset and overrides in, checked settings out."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import JsonValue, ValidationError, WithJsonSchema

from flows.errors import SettingsError
from flows.presets import PRESETS, PresetName, preset_name
from tasks.settings import EvaluationSettings, Settings

__all__ = [
    "PRESETS",
    "EvaluationOverrides",
    "EvaluationSettings",
    "Overrides",
    "PresetName",
    "Settings",
    "check_evaluation_settings",
    "preset_name",
    "preset_values",
    "resolve",
    "resolve_for_evaluation",
    "unknown_setting",
]

Kind = TypeVar("Kind", Settings, EvaluationSettings)


def resolve(preset: str, overrides: Mapping[str, Any]) -> Settings:
    """Return the settings of ``preset`` with ``overrides`` in their place.

    Raises SettingsError naming the first setting that is unknown, out of bounds, or does not go
    with another.
    """
    return _checked(Settings, {**PRESETS[preset_name(preset)], **overrides})


def resolve_for_evaluation(trained: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Return the settings of a model with those that an evaluation chooses anew.

    Raises SettingsError naming the first that is unknown, out of bounds, or not for it to choose.
    """
    check_evaluation_settings(overrides)
    return _checked(Settings, {**trained.model_dump(), **overrides})


def check_evaluation_settings(overrides: Mapping[str, Any]) -> None:
    """Check overrides of an evaluation before its model is known.

    Raises SettingsError naming the first that is unknown, out of bounds, or not for it to choose.
    """
    _checked(EvaluationSettings, overrides)


def preset_values(preset: str) -> dict[str, Any]:
    """Return every setting with its value in a preset."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    return {**defaults, **PRESETS[preset_name(preset)]}


def unknown_setting(name: str, known: Mapping[str, Any]) -> SettingsError:
    """Return the error for a name that is none of the ``known`` settings."""
    if name in Settings.model_fields:
        choices = ", ".join(sorted(known))
        return SettingsError(f"{name}: an evaluation cannot change it; it can change {choices}")
    alike = get_close_matches(name, known, 1)
    meant = f" Did you mean {alike[0]}?" if alike else ""
    return SettingsError(
        f"{name}: there is no such setting.{meant} `samehand settings` lists them all"
    )


def _checked(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
    name = str(mistake["loc"][0]) if mistake["loc"] else ""
    if mistake["type"] == "extra_forbidden":
        raise unknown_setting(name, kind.model_fields)
    if not name:  # of several settings together; the text names them
        raise SettingsError(str(mistake["ctx"]["error"]))
    raise SettingsError(f"{name}: {mistake['msg']} (given: {mistake['input']!r})")


def _form(kind: type[Kind]) -> dict[str, Any]:
    """Describe settings as a form that fills nothing in, but says what each preset has."""
    schema = kind.model_json_schema()
    presets = {preset: preset_values(preset) for preset in PRESETS}
    for name, field in schema["properties"].items():
        field.pop("default", None)
        values = (f"{preset} {json.dumps(presets[preset][name])}" for preset in presets)
        field["description"] += f" ({', '.join(values)})"
    return schema


Overrides = Annotated[dict[str, JsonValue], WithJsonSchema(_form(Settings))]
EvaluationOverrides = Annotated[dict[str, JsonValue], WithJsonSchema(_form(EvaluationSettings))]
