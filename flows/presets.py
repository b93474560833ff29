"""The presets: the few values in which each differs from the reference."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import JsonValue

from flows.errors import SettingsError

PresetName = Literal["best", "demo", "reference"]

# For real paintings: a frozen backbone sees each once, and a head learns from what it saw.
BEST: Mapping[str, JsonValue] = MappingProxyType(
    {
        "images_per_artist": 0,
        "validation_artists": 0.1,
        "test_artists": 0.2,
        "crop_size": 256,
        "resize_short_side": 256,
        "jpeg_quality": 92,
        "no_near_duplicates": True,
        "backbone": "tf_efficientnet_lite0+tf_efficientnet_lite2",
        "train_backbone": False,
        "features": "statistics",
        "hidden_size": 512,
        "embedding_size": 256,
        "backbone_dropout": 0.7,
        "head_dropout": 0.5,
        "head": "residual",
        "heads": 3,
        "normalised": True,
        "mirrored": True,
        "sampler": "artists",
        "artist_power": 0.75,
        "loss": "contrastive",
        "temperature": 0.07,
        "optimizer": "adamw",
        "schedule": "one-cycle",
        "learning_rate": 2e-3,
        "weight_decay": 1e-2,
        "margin": 0.5,
        "epochs": 18,
        "choose_epoch_by": "roc_auc",
        "matched_on": "style",
    }
)

# The same for the sample gallery: two minutes on two CPU cores.
DEMO: Mapping[str, JsonValue] = MappingProxyType(
    {
        **BEST,
        "validation_artists": 0.2,
        "test_artists": 0.25,
        "crop_size": 96,
        "resize_short_side": None,
        "backbone": "tf_efficientnet_lite0",
        "matched_on": "genre",
    }
)

PRESETS: Mapping[PresetName, Mapping[str, JsonValue]] = MappingProxyType(
    {"best": BEST, "demo": DEMO, "reference": MappingProxyType({})}
)


def preset_name(preset: str) -> PresetName:
    """Return the preset of that name. Raises SettingsError if there is none."""
    for name in PRESETS:
        if name == preset:
            return name
    raise SettingsError(f"preset: there is no {preset!r}; choose from {', '.join(PRESETS)}")
