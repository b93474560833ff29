"""Every setting of the method: its type, its bounds and its meaning."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from model.recipe import Batching, LossName, OptimizerName, Recipe, SamplerName, Schedule
from model.selection import Criterion
from model.shape import FeatureKind, HeadKind, NetworkShape
from model.warp_draws import BOUNDS, WarpRanges
from storage.datasets.crop import CropRules

if TYPE_CHECKING:  # each imports pandas, which not every command needs
    from storage.catalogs.split import SplitRules
    from storage.sources import KaggleDraw

Value = TypeVar("Value", NetworkShape, Recipe, WarpRanges, "SplitRules")

Artists = Annotated[int, Field(ge=1, le=1_000_000)]
CountOrShare = Annotated[float, Field(ge=0, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Triplets = Annotated[int, Field(ge=1, le=100_000_000)]
Width = Annotated[int, Field(ge=1, le=16_384)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]

NoneInWords = BeforeValidator(lambda value: None if value == "none" else value)
"""An optional setting is unset by null, and by none as people write it."""


def _warp(default: float, name: str, description: str) -> Any:
    """A setting of the warp, which knows its own bounds."""
    low, high = BOUNDS[name]
    return Field(default=default, ge=low, le=high, description=description)


def _from_anywhere(weights: str) -> str:
    """Make a path to weights absolute, so that a run resumed in another folder finds the file."""
    if weights == "imagenet":  # stored by runs of earlier versions
        return "pretrained"
    is_file = weights not in ("pretrained", "none")
    return str(Path(weights).expanduser().absolute()) if is_file else weights


class EvaluationSettings(BaseModel):
    """What an evaluation may choose anew: nothing in it changes what the model computes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    images_per_artist: int = Field(
        default=10, ge=0, le=1_000_000, description="Images used of each artist; 0: all."
    )
    rejected_share: Share = Field(
        default=0.05, description="A run stops if more than this share of the images is unusable."
    )
    test_triplets: Triplets = Field(default=6_000, description="Triplets drawn once for the test.")
    matched_on: Annotated[str | None, NoneInWords] = Field(
        default=None,
        description="Column whose value a matched negative shares with its anchor; null: none.",
    )
    resamples: int = Field(
        default=1_000,
        ge=100,
        le=100_000,
        description="How often artists are resampled for a 95 % interval.",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:1 and so on; auto: the accelerator if there is one.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="float32",
        description="Precision of the network's products; auto: bfloat16 where it is fast.",
    )


class Settings(EvaluationSettings):
    """What a run is made with; the defaults are the reference method's."""

    seed: Seed = Field(default=0, description="Seed of every random draw of a run.")

    # Catalog and split
    kaggle_artists: Artists = Field(
        default=500, description="Artists drawn from Kaggle's group train_and_test for training."
    )
    validation_artists: CountOrShare = Field(
        default=190, description="Artists drawn for validation: a count, or a share below 1."
    )
    test_artists: CountOrShare = Field(
        default=91,
        description="Artists drawn for the test, unless the source names them: a count or share.",
    )
    split_seed: Annotated[Seed | None, NoneInWords] = Field(
        default=None, description="Seed of the split alone; null: the seed."
    )
    folds: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Number of parts of the artists, each the test once; 0: no folds.",
    )
    fold: int = Field(default=1, ge=1, le=100, description="The part that is the test; with folds.")

    # Crops
    crop_size: int = Field(
        default=224, ge=32, le=1024, description="Side of the square crop in pixels."
    )
    resize_short_side: Annotated[Annotated[int, Field(ge=32, le=10_000)] | None, NoneInWords] = (
        Field(
            default=None,
            description="Shorter side in pixels, to resize to before cropping; null: do not.",
        )
    )
    jpeg_quality: int = Field(default=75, ge=1, le=95, description="JPEG quality of the crops.")

    # Triplets
    train_triplets: Triplets = Field(
        default=30_000, description="Triplets drawn anew for every epoch."
    )
    validation_triplets: Triplets = Field(
        default=6_000, description="Triplets drawn once for validation."
    )

    # Network
    backbone: str = Field(
        default="resnet18.tv_in1k",
        min_length=1,
        description="The name of a network in timm, or several joined by +.",
    )
    weights: Annotated[str, AfterValidator(_from_anywhere)] = Field(
        default="pretrained",
        min_length=1,
        description="Where the backbone starts: pretrained, none, or a file of weights.",
    )
    train_backbone: bool = Field(
        default=True, description="Train the backbone too; false: freeze it and train the head."
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
    hidden_size: Width = Field(default=256, description="Width of the hidden layer of the head.")
    embedding_size: Width = Field(default=64, description="Length of an embedding.")
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
        description="Warped copies of each training image; with a frozen backbone.",
    )
    rotation: float = _warp(15.0, "rotation", "First rotation, in degrees either way.")
    vertical_flip: float = _warp(0.5, "vertical_flip", "Probability of a flip upside down.")
    horizontal_flip: float = _warp(0.5, "horizontal_flip", "Probability of a flip left to right.")
    affine_rotation: float = _warp(15.0, "affine_rotation", "Second rotation, in degrees.")
    scale_low: float = _warp(0.8, "scale_low", "Smallest scale.")
    scale_high: float = _warp(1.2, "scale_high", "Greatest scale.")
    shear: float = _warp(10.0, "shear", "Shear, in degrees either way.")
    distortion: float = _warp(0.6, "distortion", "How far a change of perspective moves corners.")
    perspective: float = _warp(0.2, "perspective", "Probability of a change of perspective.")

    # Training
    epochs: int = Field(default=20, ge=1, le=100_000, description="Epochs at most.")
    patience: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Stop after this many epochs without a better validation; 0: never.",
    )
    choose_epoch_by: Criterion = Field(
        default="triplet_accuracy", description="Validation metric by which the epoch is chosen."
    )
    sampler: SamplerName = Field(
        default="triplets",
        description="What a batch is made of: triplets, or artists with some images each.",
    )
    batch_size: int = Field(
        default=200, ge=2, le=100_000, description="Triplets in a batch; sampler triplets."
    )
    artists_per_batch: int = Field(
        default=32, ge=2, le=10_000, description="Artists in a batch; sampler artists."
    )
    images_per_batch_artist: int = Field(
        default=4, ge=2, le=1_000, description="Images of each artist in a batch; sampler artists."
    )
    artist_power: Share = Field(
        default=0.0,
        description="Artists are drawn by their number of images to this power; 0: all alike.",
    )
    batching: Batching = Field(
        default="roles",
        description="How triplets are embedded: anchors, positives and negatives in one pass each;"
        " together in one pass, each image once; or together, with images shared by triplets.",
    )
    compile_network: bool = Field(
        default=False, description="Compile the network with torch.compile, for a GPU."
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Train in about half the memory, in up to a third more time; batching roles.",
    )
    optimizer: OptimizerName = Field(
        default="adam", description="Adam with an L2 penalty, or AdamW with decoupled decay."
    )
    schedule: Schedule = Field(
        default="constant", description="The learning rate: constant, or up and down in one cycle."
    )
    learning_rate: float = Field(default=1e-5, gt=0, le=1, description="Highest learning rate.")
    backbone_learning_rate: Annotated[Annotated[float, Field(gt=0, le=1)] | None, NoneInWords] = (
        Field(default=None, description="Learning rate of the backbone; null: the same.")
    )
    weight_decay: Share = Field(default=1e-3, description="L2 penalty, or decay.")
    loss: LossName = Field(
        default="triplet", description="The training loss; contrastive: sampler artists."
    )
    margin: float = Field(
        default=5.0, gt=0, le=1_000, description="Margin of the triplet loss, a distance."
    )
    temperature: float = Field(
        default=0.1, gt=0, le=10, description="Temperature of the contrastive loss."
    )

    @model_validator(mode="after")
    def _go_together(self) -> "Settings":
        """Check what settings say of each other; the rules that they make up know that."""
        self.split_rules(), self.crop_rules(), self.recipe()
        return self

    def kaggle_draw(self) -> "KaggleDraw":
        """How Kaggle's group train_and_test is thinned."""
        from storage.sources import KaggleDraw

        return KaggleDraw(self.kaggle_artists, self.images_per_artist, self.seed)

    def split_rules(self) -> "SplitRules":
        """How artists are divided between training, validation and test."""
        from storage.catalogs.split import MIN_IMAGES, SplitRules

        split_seed = self.seed if self.split_seed is None else self.split_seed
        return self._picked(SplitRules, seed=split_seed, min_images=MIN_IMAGES)

    def crop_rules(self) -> CropRules:
        """How an image becomes a crop."""
        return CropRules(self.crop_size, self.resize_short_side, self.jpeg_quality)

    def network_shape(self) -> NetworkShape:
        """The network, as far as it can be chosen."""
        return self._picked(NetworkShape, frozen=not self.train_backbone)

    def warp_ranges(self) -> WarpRanges:
        """How far training images are warped."""
        return self._picked(WarpRanges)

    def recipe(self) -> Recipe:
        """How the network is trained."""
        return self._picked(Recipe, warps=self.warp_ranges())

    def _picked(self, kind: type[Value], **others: Any) -> Value:
        """Make a value of the settings that its fields are named after, and of ``others``."""
        names = {field.name for field in fields(kind)} - others.keys()
        return kind(**{name: getattr(self, name) for name in names}, **others)
