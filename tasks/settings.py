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
Rate = Annotated[float, Field(ge=0, le=0.5)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Triplets = Annotated[int, Field(ge=1, le=100_000_000)]
Width = Annotated[int, Field(ge=1, le=16_384)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]

NoneInWords = BeforeValidator(lambda value: None if value == "none" else value)
"""An optional setting is unset by null, and by none as people write it."""


def _setting(
    default: Any,
    description: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """A setting with its bounds, which its type may have already."""
    return Field(default=default, description=description, ge=ge, gt=gt, le=le, lt=lt)


def _warp(default: float, name: str, description: str) -> Any:
    """A setting of the warp, which knows its own bounds."""
    low, high = BOUNDS[name]
    return _setting(default, description, ge=low, le=high)


def _no_model(purpose: str | None) -> str | None:
    """Refuse what already names a model where one is chosen, or names nothing."""
    if purpose is not None and (purpose.strip() in ("", "champion", "last") or purpose.isdigit()):
        raise ValueError("a purpose has a name other than champion, last or a number")
    return purpose


def _from_anywhere(weights: str) -> str:
    """Make a path to weights absolute, so that a run resumed in another folder finds the file."""
    if weights == "imagenet":  # stored by runs of earlier versions
        return "pretrained"
    is_file = weights not in ("pretrained", "none")
    return str(Path(weights).expanduser().absolute()) if is_file else weights


class EvaluationSettings(BaseModel):
    """What an evaluation may choose anew: nothing in it changes what the model computes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    images_per_artist: int = _setting(10, "Images used of each artist; 0: all.", ge=0, le=1_000_000)
    rejected_share: Share = _setting(
        0.05, "A run stops if more than this share of the images is unusable."
    )
    test_triplets: Triplets = _setting(6_000, "Triplets drawn once for the test.")
    matched_on: Annotated[str | None, NoneInWords] = _setting(
        None, "Column whose value a matched negative shares with its anchor; null: none."
    )
    prior: float = _setting(
        0.5,
        "Share of pairs by one artist that probabilities assume beforehand; 0.5: even odds.",
        gt=0,
        lt=1,
    )
    resamples: int = _setting(
        1_000, "How often artists are resampled for a 95 % interval.", ge=100, le=100_000
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:1 and so on; auto: the accelerator if there is one.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = _setting(
        "float32", "Precision of the network's products; auto: bfloat16 where it is fast."
    )


class Settings(EvaluationSettings):
    """What a run is made with; the defaults are the reference method's."""

    seed: Seed = _setting(0, "Seed of every random draw of a run.")

    # Catalog and split
    kaggle_artists: Artists = _setting(
        500, "Artists drawn from Kaggle's group train_and_test for training."
    )
    validation_artists: CountOrShare = _setting(
        190, "Artists drawn for validation: a count, or a share below 1."
    )
    test_artists: CountOrShare = _setting(
        91, "Artists drawn for the test, unless the source names them: a count or share."
    )
    split_seed: Annotated[Seed | None, NoneInWords] = _setting(
        None, "Seed of the split alone; null: the seed."
    )
    folds: int = _setting(
        0, "Number of parts of the artists, each the test once; 0: no folds.", ge=0, le=100
    )
    fold: int = _setting(1, "The part that is the test; with folds.", ge=1, le=100)

    # Verdicts
    false_acceptance: Rate = _setting(
        0.05, "Share of the pairs by two artists that may get the verdict same."
    )
    false_rejection: Rate = _setting(
        0.05, "Share of the pairs by one artist that may get the verdict different."
    )

    purpose: Annotated[str | None, AfterValidator(_no_model), NoneInWords] = _setting(
        None, "What the model is for: models of one purpose compete; null: its source."
    )

    # Crops
    crop_size: int = _setting(224, "Side of the square crop in pixels.", ge=32, le=1024)
    resize_short_side: Annotated[Annotated[int, Field(ge=32, le=10_000)] | None, NoneInWords] = (
        _setting(None, "Shorter side in pixels, to resize to before cropping; null: do not.")
    )
    jpeg_quality: int = _setting(75, "JPEG quality of the crops.", ge=1, le=95)

    no_near_duplicates: bool = _setting(
        False, "Of copies of a picture, resized, saved again or mirrored, keep one."
    )

    # Triplets
    train_triplets: Triplets = _setting(30_000, "Triplets drawn anew for every epoch.")
    validation_triplets: Triplets = _setting(6_000, "Triplets drawn once for validation.")

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
    train_backbone: bool = _setting(
        True, "Train the backbone too; false: freeze it and train the head."
    )
    features: FeatureKind = _setting(
        "map", "What the head gets: the last feature map, or statistics of several."
    )
    head: HeadKind = _setting("flatten", "Layers between features and embedding.")
    heads: int = _setting(1, "Heads side by side, each trained by its own loss.", ge=1, le=100)
    normalised: bool = _setting(False, "Scale every embedding to length 1.")
    mirrored: bool = _setting(False, "Embed a picture as the mean of itself and its mirror image.")
    hidden_size: Width = _setting(256, "Width of the hidden layer of the head.")
    embedding_size: Width = _setting(64, "Length of an embedding.")
    backbone_dropout: Dropout = _setting(0.25, "Dropout between the backbone and the head.")
    head_dropout: Dropout = _setting(0.30, "Dropout between the layers of the head.")

    # Warp
    warped_copies: int = _setting(
        0, "Warped copies of each training image; with a frozen backbone.", ge=0, le=100
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
    epochs: int = _setting(20, "Epochs at most.", ge=1, le=100_000)
    patience: int = _setting(
        0, "Stop after this many epochs without a better validation; 0: never.", ge=0, le=100_000
    )
    choose_epoch_by: Criterion = _setting(
        "triplet_accuracy", "Validation metric by which the epoch is chosen."
    )
    sampler: SamplerName = _setting(
        "triplets", "What a batch is made of: triplets, or artists with some images each."
    )
    batch_size: int = _setting(200, "Triplets in a batch; sampler triplets.", ge=2, le=100_000)
    artists_per_batch: int = _setting(32, "Artists in a batch; sampler artists.", ge=2, le=10_000)
    images_per_batch_artist: int = _setting(
        4, "Images of each artist in a batch; sampler artists.", ge=2, le=1_000
    )
    artist_power: Share = _setting(
        0.0, "Artists are drawn by their number of images to this power; 0: all alike."
    )
    batching: Batching = _setting(
        "roles",
        "How triplets are embedded: anchors, positives and negatives in one pass each;"
        " together in one pass, each image once; or together, with images shared by triplets.",
    )
    devices: int = _setting(
        1, "Devices that train together, each on a part of every batch; 0: all GPUs.", ge=0, le=64
    )
    compile_network: bool = _setting(False, "Compile the network with torch.compile, for a GPU.")
    gradient_checkpointing: bool = _setting(
        False, "Train in about half the memory, in up to a third more time; batching roles."
    )
    optimizer: OptimizerName = _setting(
        "adam", "Adam with an L2 penalty, or AdamW with decoupled decay."
    )
    schedule: Schedule = _setting(
        "constant", "The learning rate: constant, or up and down in one cycle."
    )
    learning_rate: float = _setting(1e-5, "Highest learning rate.", gt=0, le=1)
    backbone_learning_rate: Annotated[Annotated[float, Field(gt=0, le=1)] | None, NoneInWords] = (
        _setting(None, "Learning rate of the backbone; null: the same.")
    )
    weight_decay: Share = _setting(1e-3, "L2 penalty, or decay.")
    loss: LossName = _setting("triplet", "The training loss; contrastive: sampler artists.")
    margin: float = _setting(5.0, "Margin of the triplet loss, a distance.", gt=0, le=1_000)
    temperature: float = _setting(0.1, "Temperature of the contrastive loss.", gt=0, le=10)

    @model_validator(mode="after")
    def _go_together(self) -> "Settings":
        """Check what settings say of each other; the rules that they make up know that."""
        self.split_rules(), self.crop_rules(), self.recipe()
        if self.compile_network and self.devices != 1:
            raise ValueError("compile_network works on one device: leave it out, or set devices=1")
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
        return CropRules(
            self.crop_size, self.resize_short_side, self.jpeg_quality, self.no_near_duplicates
        )

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
