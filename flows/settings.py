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
from model.recipe import Batching, LossName, OptimizerName, Recipe, SamplerName, Schedule
from model.selection import Criterion
from model.shape import FeatureKind, HeadKind, NetworkShape
from model.warp_draws import BOUNDS, WarpRanges
from storage.datasets.crop import CropRules
from storage.errors import InputError

if TYPE_CHECKING:  # each takes pandas along, which not every command needs
    from storage.catalogs.split import SplitRules
    from storage.sources import KaggleDraw

PresetName = Literal["best", "demo", "reference"]
Count = Annotated[int, Field(ge=1)]
CountOrShare = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]


def warp(default: float, name: str, description: str) -> Any:
    """A field of a setting of the warp, which knows its own bounds."""
    low, high = BOUNDS[name]
    return Field(default=default, ge=low, le=high, description=description)


def from_anywhere(weights: str) -> str:
    """Name a file of weights so that a run which goes on in another folder finds it."""
    if weights == "imagenet":  # as runs of earlier versions have it
        return "pretrained"
    is_file = weights not in ("pretrained", "none")
    return str(Path(weights).expanduser().absolute()) if is_file else weights


class Settings(BaseModel):
    """What a run is made with. The defaults are the reference's; a preset says what differs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(
        default=0, ge=0, lt=2**63, description="Every random draw of a run follows from it."
    )

    # Build the catalog and split it
    kaggle_artists: Count = Field(
        default=500,
        description="Artists drawn from Kaggle's group train_and_test into the training pool.",
    )
    images_per_artist: int = Field(
        default=10, ge=0, description="The first so many images of each artist are used; 0: all."
    )
    validation_artists: CountOrShare = Field(
        default=190, description="Artists drawn for validation: a count, or a share below 1."
    )
    test_artists: CountOrShare = Field(
        default=91,
        description="Artists drawn for the test, unless the source names them: a count or share.",
    )

    split_seed: int | None = Field(
        default=None, ge=0, lt=2**63, description="Seed of the split alone; null: the seed."
    )
    folds: int = Field(
        default=0, ge=0, le=100, description="Parts of the artists, each the test once; 0: none."
    )
    fold: int = Field(default=1, ge=1, le=100, description="The part that is the test; with folds.")

    # Crop to zip
    crop_size: int = Field(
        default=224, ge=32, le=1024, description="Side of the square crop in pixels."
    )
    resize_short_side: int | None = Field(
        default=None,
        ge=32,
        description="Resize the short side to so many pixels before cropping; null: do not.",
    )
    jpeg_quality: int = Field(default=75, ge=1, le=95, description="JPEG quality of the crops.")
    rejected_share: Share = Field(
        default=0.05,
        description="A run stops where more than this share of the images cannot be used.",
    )

    # Draw triplets
    train_triplets: Count = Field(
        default=30_000, description="Triplets drawn anew for every epoch."
    )
    validation_triplets: Count = Field(
        default=6_000, description="Triplets drawn once for validation."
    )
    test_triplets: Count = Field(default=6_000, description="Triplets drawn once for the test.")

    # Network
    backbone: str = Field(
        default="resnet18.tv_in1k",
        min_length=1,
        description="A network of timm's by name, or several joined by +.",
    )
    weights: Annotated[str, AfterValidator(from_anywhere)] = Field(
        default="pretrained",
        min_length=1,
        description="Where the backbone starts: pretrained, none, or a file of weights.",
    )
    train_backbone: bool = Field(
        default=True, description="Train the backbone too; false: it is frozen, the head learns."
    )
    features: FeatureKind = Field(
        default="map",
        description="What the head gets: the last feature map, or statistics of several.",
    )
    head: HeadKind = Field(default="flatten", description="Layers between features and embedding.")
    heads: int = Field(
        default=1, ge=1, le=100, description="Heads side by side, each trained by its own loss."
    )
    normalised: bool = Field(default=False, description="Scale every embedding to length 1.")
    mirrored: bool = Field(
        default=False, description="Embed a picture as the mean of itself and its mirror image."
    )
    hidden_size: Count = Field(default=256, description="Width of the hidden layer of the head.")
    embedding_size: Count = Field(default=64, description="Length of an embedding.")
    backbone_dropout: Dropout = Field(
        default=0.25, description="Dropout between the backbone and the head."
    )
    head_dropout: Dropout = Field(
        default=0.30, description="Dropout between the layers of the head."
    )

    # Warp
    warped_copies: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Warped copies of each training image, where the backbone is frozen.",
    )
    rotation: float = warp(15.0, "rotation", "First rotation, in degrees either way.")
    vertical_flip: float = warp(0.5, "vertical_flip", "Probability of a flip upside down.")
    horizontal_flip: float = warp(0.5, "horizontal_flip", "Probability of a flip left to right.")
    affine_rotation: float = warp(15.0, "affine_rotation", "Second rotation, in degrees.")
    scale_low: float = warp(0.8, "scale_low", "Smallest scale.")
    scale_high: float = warp(1.2, "scale_high", "Greatest scale.")
    shear: float = warp(10.0, "shear", "Shear, in degrees either way.")
    distortion: float = warp(0.6, "distortion", "How far corners move in a change of perspective.")
    perspective: float = warp(0.2, "perspective", "Probability of a change of perspective.")

    # Train
    epochs: Count = Field(default=20, description="Epochs at most.")
    patience: int = Field(
        default=0,
        ge=0,
        description="Stop after so many epochs without a better validation; 0: never.",
    )
    choose_epoch_by: Criterion = Field(
        default="triplet_accuracy", description="Validation metric by which the epoch is chosen."
    )
    sampler: SamplerName = Field(
        default="triplets", description="What makes a batch: triplets, or artists with images each."
    )
    batch_size: int = Field(default=200, ge=2, description="Triplets in a batch; sampler triplets.")
    artists_per_batch: int = Field(
        default=32, ge=2, description="Artists in a batch; sampler artists."
    )
    images_per_batch_artist: int = Field(
        default=4, ge=2, description="Images of each artist in a batch; sampler artists."
    )
    artist_power: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Artists are drawn by the number of their images to this power; 0: all alike.",
    )
    batching: Batching = Field(
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
    optimizer: OptimizerName = Field(
        default="adam", description="Adam with an L2 penalty, or AdamW with decay apart from it."
    )
    schedule: Schedule = Field(
        default="constant", description="The learning rate: constant, or up and down in one cycle."
    )
    learning_rate: float = Field(default=1e-5, gt=0, le=1, description="Highest learning rate.")
    backbone_learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="That of the backbone; null: the same."
    )
    weight_decay: float = Field(default=1e-3, ge=0, le=1, description="L2 penalty, or decay.")
    loss: LossName = Field(
        default="triplet", description="What training makes small; contrastive: sampler artists."
    )
    margin: float = Field(default=5.0, gt=0, description="Margin of the triplet loss, a distance.")
    temperature: float = Field(
        default=0.1, gt=0, le=10, description="Temperature of the contrastive loss."
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:1 and so on; auto: the accelerator.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="float32",
        description="Precision of the network's products; auto: bfloat16 where it is fast.",
    )

    # Evaluate
    matched_on: str | None = Field(
        default=None,
        description="Column whose value a matched negative shares with its anchor; null: none.",
    )
    resamples: int = Field(
        default=1_000,
        ge=100,
        le=100_000,
        description="Resamplings of the artists behind a 95 % interval.",
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
            seed=self.seed if self.split_seed is None else self.split_seed,
            folds=self.folds,
            fold=self.fold,
        )

    def crop_rules(self) -> CropRules:
        """How an image becomes a crop."""
        return CropRules(self.crop_size, self.resize_short_side, self.jpeg_quality)

    def network_shape(self) -> NetworkShape:
        """The network, as far as it can be chosen."""
        return NetworkShape(
            crop_size=self.crop_size,
            hidden_size=self.hidden_size,
            embedding_size=self.embedding_size,
            backbone_dropout=self.backbone_dropout,
            head_dropout=self.head_dropout,
            backbone=self.backbone,
            features=self.features,
            head=self.head,
            heads=self.heads,
            normalised=self.normalised,
            mirrored=self.mirrored,
            frozen=not self.train_backbone,
        )

    def warp_ranges(self) -> WarpRanges:
        """How far training images are warped."""
        return WarpRanges(**{name: getattr(self, name) for name in WARP_SETTINGS})

    def recipe(self) -> Recipe:
        """How the network is trained."""
        return Recipe(
            learning_rate=self.learning_rate,
            backbone_learning_rate=self.backbone_learning_rate,
            weight_decay=self.weight_decay,
            optimizer=self.optimizer,
            schedule=self.schedule,
            epochs=self.epochs,
            loss=self.loss,
            margin=self.margin,
            temperature=self.temperature,
            sampler=self.sampler,
            batch_size=self.batch_size,
            artists_per_batch=self.artists_per_batch,
            images_per_batch_artist=self.images_per_batch_artist,
            artist_power=self.artist_power,
            batching=self.batching,
            compile_network=self.compile_network,
            gradient_checkpointing=self.gradient_checkpointing,
            warps=self.warp_ranges(),
        )


WARP_SETTINGS = tuple(WarpRanges.__dataclass_fields__)

# For real paintings: a frozen backbone sees each once, and a head is trained on what it saw.
BEST: Mapping[str, JsonValue] = MappingProxyType(
    {
        "images_per_artist": 0,
        "validation_artists": 0.1,
        "test_artists": 0.2,
        "crop_size": 256,
        "resize_short_side": 256,
        "jpeg_quality": 92,
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

# The same for the sample gallery, small enough for two CPU cores in two minutes.
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
    _validated(overrides)


def is_presets_own(preset: str, setting: str, value: JsonValue) -> bool:
    """Whether a setting has the value that its preset gave it, so that nobody asked for it."""
    return bool(resolve(preset, {}).model_dump()[setting] == value)


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
    """The settings as a form: every field with bounds and description, none of them filled in."""
    schema = Settings.model_json_schema()
    for field in schema["properties"].values():
        field.pop("default", None)
    return schema


Overrides = Annotated[dict[str, JsonValue], BeforeValidator(_checked), WithJsonSchema(_form())]
