"""The card of an exported model: what it decides, how well, how to use it, and where it ends."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.datasets.crop import REDUCING_GAP, CropRules
from storage.reports.report import Fact, Report, contender_table, fact_table, measure_table, table


@dataclass(frozen=True, slots=True)
class SplitCount:
    """How many artists and images a split holds."""

    split: str
    artists: int
    images: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the card says; ``judged`` is None where no test evaluation was made of the model."""

    file_name: str
    model_id: int
    data: Sequence[Fact]
    splits: Sequence[SplitCount]
    judged: Report | None
    rules: CropRules
    embedding_size: int
    threshold: float
    calibration_slope: float
    validation_roc_auc: float
    origin: Sequence[Fact]
    licence: str


def render_card(card: ModelCard) -> str:
    """Write the card as Markdown."""
    sections = [
        f"# {card.file_name}: model {card.model_id} of samehand",
        f"Given two paintings, this model says whether they are by the same artist. Its network "
        f"turns the centre of each into an embedding of {card.embedding_size} values; the "
        f"Euclidean distance between two embeddings is small where one artist painted both.",
        "## Data",
        fact_table(card.data),
        _split_table(card.splits),
        "No artist is in two splits.",
        "## Figures",
        *_figures(card.judged),
        "## Threshold",
        _threshold(card),
        "## Use",
        "With `onnxruntime`, `numpy` and `pillow` alone:",
        f"```python\n{example(card)}```",
        "What samehand has to know is in the file's metadata under `samehand`, as JSON: crop "
        "rules, threshold, calibration slope, number of the model, SHA-256 of its checkpoint, size "
        "of an embedding.",
        "## Intended use and limits",
        LIMITS,
        "## Origin and licences",
        fact_table(card.origin),
        card.licence,
    ]
    return "\n\n".join(sections) + "\n"


LIMITS = """\
- It is meant for exploring collections: finding paintings to look at side by side, and attributions
  to look at again. A verdict is a hint, **not a proof of authorship**, and no ground by itself for
  an attribution, a price or an accusation.
- The figures are of artists the network never saw in training, on paintings like those above. On
  other kinds of works, or other photographs, expect less, and measure again before relying on it.
- Both verdicts are wrong at times; the figures say how often. Paintings that share style, genre or
  subject are mistaken for one hand more often than others: matched figures say how often.
- It sees one crop of a few hundred pixels, so it knows nothing of signature, back, material or
  provenance. Copies, workshops, forgeries and restorations are outside what was measured.
- The probability takes "same" and "different" to be equally likely beforehand. Among pairs drawn
  at random, nearly all are by different artists: most of those accepted may then be wrong."""


def example(card: ModelCard) -> str:
    """Write the program that compares two files by the exported model, as samehand does."""
    size = card.rules.size
    return f"""\
import io, json
import numpy as np, onnxruntime
from PIL import Image, ImageOps

network = onnxruntime.InferenceSession("{card.file_name}")
model = json.loads(network.get_modelmeta().custom_metadata_map["samehand"])

def crop(path):
{_crop_lines(card.rules)}
    image.save(jpeg := io.BytesIO(), "JPEG", quality={card.rules.quality})
    return np.asarray(Image.open(jpeg))  # ({size}, {size}, 3), uint8

pixels = np.stack([crop("a.jpg"), crop("b.jpg")])
a, b = network.run(["vectors"], {{"pixels": pixels}})[0]
distance = float(np.linalg.norm(a - b))
print(distance, "same artist" if distance <= model["threshold"] else "two artists")
"""


def _crop_lines(rules: CropRules) -> str:
    """The lines that cut an image as `storage.datasets.crop` does."""
    if rules.short_side is None:
        return f"""\
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    left, top = (round((length - {rules.size}) / 2) for length in image.size)
    image = image.crop((left, top, left + {rules.size}, top + {rules.size}))"""
    gap = int(REDUCING_GAP)
    return f"""\
    image = Image.open(path)
    share = min(1, {gap * rules.short_side} / min(image.size))
    image.draft(None, [max(1, round(length * share)) for length in image.size])
    image = ImageOps.exif_transpose(image).convert("RGB")
    side = min(image.size) * {rules.size} / {rules.short_side}
    left, top = ((length - side) / 2 for length in image.size)
    box = left, top, left + side, top + side
    lanczos = Image.Resampling.LANCZOS
    image = image.resize(({rules.size}, {rules.size}), lanczos, box, reducing_gap={gap})"""


def _split_table(splits: Sequence[SplitCount]) -> str:
    rows = [[one.split, f"{one.artists:,}", f"{one.images:,}"] for one in splits]
    return table(["split", "artists", "images"], rows)


def _figures(judged: Report | None) -> list[str]:
    if judged is None:
        return ["This model has not been evaluated on test artists."]
    sections = [
        judged.verdict,
        contender_table(judged.contenders, judged.matched_on),
        "Brackets hold 95 % intervals, from drawing the artists anew with replacement. The rows "
        "below the network are baselines on the same triplets and pairs.",
    ]
    if judged.matched_on is not None:
        sections.append(
            f"Matched figures are the harder ones: the painting by someone else has the same "
            f"{judged.matched_on}, so that {judged.matched_on} alone does not tell them apart."
        )
    if judged.measures:
        sections.append(measure_table(judged.measures, judged.matched_on))
    return [*sections, fact_table(judged.facts)]


def _threshold(card: ModelCard) -> str:
    return (
        f"Two paintings are predicted to be by the same artist where their distance is at most "
        f"**{card.threshold:.4f}**. The threshold is the one of greatest balanced accuracy on all "
        f"pairs of the validation artists (ROC AUC {card.validation_roc_auc:.3f}), chosen before "
        f"the test artists were looked at. The probability of one artist is "
        f"`1 / (1 + exp(-{card.calibration_slope:.4f} * ({card.threshold:.4f} - distance)))`, "
        f"fitted on the same pairs with both kinds weighing alike."
    )
