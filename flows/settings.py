"""Every setting of the method: its bounds, its meaning, and the presets that give its value."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    WithJsonSchema,
)

from flows.errors import SettingsError
from model.errors import ModelInputError
from model.warp_draws import BOUNDS, WarpRanges
from storage.datasets.crop import CropRules
from storage.errors import InputError

if TYPE_CHECKING:  # each takes torch or pandas along, which not every command needs
    from model.network import NetworkShape
    from model.training import Recipe
    from storage.catalogs.split import SplitRules
    from storage.sources import KaggleDraw

PresetName = Literal["demo", "reference"]
Count = Annotated[int, Field(ge=1)]
CountOrShare = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]


def warp(name: str, description: str) -> Any:
    """A field of a setting of the warp, which knows its own bounds."""
    low, high = BOUNDS[name]
    return Field(ge=low, le=high, description=description)


def from_anywhere(weights: str) -> str:
    """Name a file of weights so that a run which goes on in another folder finds it."""
    is_file = weights not in ("imagenet", "none")
    return str(Path(weights).expanduser().absolute()) if is_file else weights


class Settings(BaseModel):
    """What a run is made with. Values have no default here: they come from a preset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0, lt=2**63, description="Every random draw of a run follows from it.")

    # Build the catalog and split it
    kaggle_artists: Count = Field(
        description="Artists drawn from Kaggle's group train_and_test into the training pool."
    )
    images_per_artist: int = Field(
        ge=0, description="The first so many images of each artist are used; 0: all."
    )
    validation_artists: CountOrShare = Field(
        description="Artists drawn for validation: a count, or a share below 1."
    )
    test_artists: CountOrShare = Field(
        description="Artists drawn for the test, unless the source names them: a count or share."
    )

    # Crop to zip
    crop_size: int = Field(ge=32, le=1024, description="Side of the square crop in pixels.")
    resize_short_side: int | None = Field(
        ge=32, description="Resize the short side to so many pixels before cropping; null: do not."
    )
    jpeg_quality: int = Field(ge=1, le=95, description="JPEG quality of the crops.")
    rejected_share: Share = Field(
        description="A run stops where more than this share of the images cannot be used."
    )

    # Draw triplets
    train_triplets: Count = Field(description="Triplets drawn anew for every epoch.")
    validation_triplets: Count = Field(description="Triplets drawn once for validation.")
    test_triplets: Count = Field(description="Triplets drawn once for the test.")

    # Network
    weights: Annotated[str, AfterValidator(from_anywhere)] = Field(
        min_length=1, description="Where ResNet-18 starts: imagenet, none, or a file of weights."
    )
    hidden_size: Count = Field(description="Width of the hidden layer of the head.")
    embedding_size: Count = Field(description="Length of an embedding.")
    backbone_dropout: Dropout = Field(description="Dropout between ResNet-18 and the head.")
    head_dropout: Dropout = Field(description="Dropout between the layers of the head.")

    # Warp
    rotation: float = warp("rotation", "First rotation, in degrees either way.")
    vertical_flip: float = warp("vertical_flip", "Probability of a flip upside down.")
    horizontal_flip: float = warp("horizontal_flip", "Probability of a flip left to right.")
    affine_rotation: float = warp("affine_rotation", "Second rotation, in degrees.")
    scale_low: float = warp("scale_low", "Smallest scale.")
    scale_high: float = warp("scale_high", "Greatest scale.")
    shear: float = warp("shear", "Shear, in degrees either way.")
    distortion: float = warp("distortion", "How far corners move in a change of perspective.")
    perspective: float = warp("perspective", "Probability of a change of perspective.")

    # Train
    epochs: Count = Field(description="Epochs at most.")
    patience: int = Field(
        ge=0, description="Stop after so many epochs without a better validation; 0: never."
    )
    batch_size: int = Field(ge=2, description="Triplets in a batch.")
    # These three have defaults, for runs recorded before they could be chosen.
    batching: Literal["roles", "together", "shared"] = Field(
        default="roles",
        description="How a batch is embedded: in a pass for anchors, positives and negatives each; "
        "together in one, each image once; or so with images shared among its triplets.",
    )
    compile_network: bool = Field(
        default=False, description="Compile the network with torch.compile, for a GPU."
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Train in about half the memory, for up to a third more time; batching roles.",
    )
    learning_rate: float = Field(gt=0, le=1, description="Adam's learning rate.")
    weight_decay: float = Field(ge=0, le=1, description="Adam's L2 penalty.")
    margin: float = Field(gt=0, description="Margin of the triplet loss, a distance.")
    device: str = Field(
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:1 and so on; auto: the accelerator.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        description="Precision of the network's products; auto: bfloat16 where it is fast."
    )

    # Evaluate
    matched_on: str | None = Field(
        description="Column whose value a matched negative shares with its anchor; null: none."
    )
    resamples: int = Field(
        ge=100, le=100_000, description="Resamplings of the artists behind a 95 % interval."
    )

    def kaggle_draw(self) -> "KaggleDraw":
        """How Kaggle's group train_and_test is thinned."""
        from storage.sources import KaggleDraw

        return KaggleDraw(self.kaggle_artists, self.images_per_artist, self.seed)

    def split_rules(self) -> "SplitRules":
        """How artists are divided between training, validation and test."""
        from storage.catalogs.split import SplitRules

        return SplitRules(
            validation_artists=self.validation_artists,
            test_artists=self.test_artists,
            images_per_artist=self.images_per_artist,
            seed=self.seed,
        )

    def crop_rules(self) -> CropRules:
        """How an image becomes a crop."""
        return CropRules(self.crop_size, self.resize_short_side, self.jpeg_quality)

    def network_shape(self) -> "NetworkShape":
        """The network, as far as it can be chosen."""
        from model.network import NetworkShape

        return NetworkShape(
            crop_size=self.crop_size,
            hidden_size=self.hidden_size,
            embedding_size=self.embedding_size,
            backbone_dropout=self.backbone_dropout,
            head_dropout=self.head_dropout,
        )

    def recipe(self) -> "Recipe":
        """How the network is trained."""
        from model.training import Recipe

        return Recipe(
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            margin=self.margin,
            batch_size=self.batch_size,
            batching=self.batching,
            compile_network=self.compile_network,
            gradient_checkpointing=self.gradient_checkpointing,
            warps=WarpRanges(**{name: getattr(self, name) for name in WARP_SETTINGS}),
        )

    def images_shared_by(self) -> int | None:
        """Among how many training triplets in a row images are shared, None where they are not."""
        return self.batch_size if self.batching == "shared" else None


WARP_SETTINGS = tuple(WarpRanges.__dataclass_fields__)

REFERENCE: Mapping[str, JsonValue] = MappingProxyType(
    {
        "seed": 0,
        "kaggle_artists": 500,
        "images_per_artist": 10,
        "validation_artists": 190,
        "test_artists": 91,
        "crop_size": 224,
        "resize_short_side": None,
        "jpeg_quality": 75,
        "rejected_share": 0.05,
        "train_triplets": 30_000,
        "validation_triplets": 6_000,
        "test_triplets": 6_000,
        "weights": "imagenet",
        "hidden_size": 256,
        "embedding_size": 64,
        "backbone_dropout": 0.25,
        "head_dropout": 0.30,
        "rotation": 15.0,
        "vertical_flip": 0.5,
        "horizontal_flip": 0.5,
        "affine_rotation": 15.0,
        "scale_low": 0.8,
        "scale_high": 1.2,
        "shear": 10.0,
        "distortion": 0.6,
        "perspective": 0.2,
        "epochs": 20,
        "patience": 0,
        "batch_size": 200,
        "batching": "roles",
        "compile_network": False,
        "gradient_checkpointing": False,
        "learning_rate": 1e-5,
        "weight_decay": 1e-3,
        "margin": 5.0,
        "device": "auto",
        "precision": "float32",
        "matched_on": None,
        "resamples": 1_000,
    }
)

# The same method, small enough for two CPU cores and started from random weights.
DEMO: Mapping[str, JsonValue] = MappingProxyType(
    {
        **REFERENCE,
        "images_per_artist": 0,
        "validation_artists": 0.2,
        "test_artists": 0.25,
        "crop_size": 64,
        "train_triplets": 750,
        "validation_triplets": 2_000,
        "test_triplets": 6_000,
        "weights": "none",
        "epochs": 5,
        "patience": 0,
        "batch_size": 25,
        "precision": "auto",
        "learning_rate": 2e-4,
        "matched_on": "genre",
    }
)

PRESETS: Mapping[PresetName, Mapping[str, JsonValue]] = MappingProxyType(
    {"demo": DEMO, "reference": REFERENCE}
)


def resolve(preset: str, overrides: Mapping[str, Any]) -> Settings:
    """Give the settings of ``preset`` with ``overrides`` in their place.

    Raises SettingsError naming the first setting that is unknown or out of bounds.
    """
    settings = _validated({**PRESETS[preset_name(preset)], **overrides})
    try:
        # What rules and ranges say of several settings together, they check themselves.
        settings.split_rules(), settings.crop_rules(), settings.recipe()
    except (InputError, ModelInputError) as error:
        raise SettingsError(str(error)) from None
    return settings


def check_overrides(overrides: Mapping[str, Any]) -> None:
    """Check each setting by itself, where those that it will stand beside are not known yet.

    Raises SettingsError naming the first setting that is unknown or out of bounds.
    """
    _validated({**REFERENCE, **overrides})


def is_presets_own(preset: str, setting: str, value: JsonValue) -> bool:
    """Whether a setting has the value that its preset gave it, so that nobody asked for it."""
    return PRESETS[preset_name(preset)][setting] == value


def preset_name(preset: str) -> PresetName:
    """The preset of that name. Raises SettingsError if there is none."""
    for name in PRESETS:
        if name == preset:
            return name
    raise SettingsError(f"preset: there is no {preset!r}; there are {', '.join(PRESETS)}")


def _validated(values: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_first_mistake(error)) from None


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        alike = get_close_matches(name, Settings.model_fields, 1)
        meant = f" Did you mean {alike[0]}?" if alike else ""
        known = ", ".join(sorted(Settings.model_fields))
        return f"{name}: there is no such setting.{meant} There are {known}"
    return f"{name}: {mistake['msg']} (given: {mistake['input']!r})"


def _checked(value: Any) -> Any:
    check_overrides(value or {})
    return value


def _form() -> dict[str, Any]:
    """The settings as a form: every field with bounds and description, none of them required."""
    schema = Settings.model_json_schema()
    schema.pop("required")
    return schema


Overrides = Annotated[dict[str, JsonValue], BeforeValidator(_checked), WithJsonSchema(_form())]
