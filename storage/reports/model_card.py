"""The card of an exported model: what it decides, how well, how to use it, and its limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.datasets.crop import REDUCING_GAP, CropRules
from storage.reports.report import (
    Fact,
    Report,
    contender_table,
    escaped,
    fact_table,
    measure_table,
    table,
)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The contents of a card; ``judged`` is None if the model has no test evaluation."""

    file_name: str
    model_id: int
    data: Sequence[Fact]
    splits: Sequence[Sequence[str]]  # the name, artists and images of each
    judged: Report | None
    rules: CropRules
    embedding_size: int
    threshold: float
    calibration_slope: float
    calibration_midpoint: float
    accept_within: float
    reject_beyond: float
    validation_roc_auc: float
    origin: Sequence[Fact]
    licence: str


def render_card(card: ModelCard) -> str:
    """Write the card as Markdown."""
    sections = [
        f"# {escaped(card.file_name)}: model {card.model_id} of samehand",
        f"Given two paintings, this model says whether they are by the same artist. Its network "
        f"turns the centre of each into an embedding of {card.embedding_size} values. The "
        f"Euclidean distance between two embeddings is small if one artist painted both.",
        "## Data",
        fact_table(card.data),
        table(["split", "artists", "images"], card.splits),
        "No artist is in two splits.",
        "## Results",
        *_results(card.judged),
        "## Threshold",
        _threshold(card),
        "## Use",
        "This program needs only `onnxruntime`, `numpy` and `pillow`. Convert images with a colour "
        "profile other than sRGB to sRGB first, with `PIL.ImageCms`.",
        f"```python\n{example(card)}```",
        "The file's metadata holds JSON under `samehand`: crop rules, threshold, calibration "
        "slope and midpoint, band of distances without a verdict, model number, SHA-256 of the "
        "checkpoint, and embedding size.",
        "## Intended use and limits",
        LIMITS,
        "## Origin and licences",
        fact_table(card.origin),
        card.licence,
    ]
    return "\n\n".join(sections) + "\n"


LIMITS = """\
- It is meant for exploring collections: finding paintings to compare and attributions to check. A
  verdict is a hint, **not a proof of authorship**, and by itself no ground for an attribution, a
  price or an accusation.
- The results are for artists the network never saw in training, on paintings like those above. On
  other kinds of works or other photographs, expect less, and measure before relying on it.
- Both verdicts can be wrong; the results say how often. Paintings with the same style, genre or
  subject are mistaken for one artist's more often; the matched results say how often.
- It sees one crop of a few hundred pixels. It knows nothing of signature, reverse, material or
  provenance. Copies, workshops, forgeries and restorations were not measured.
- The probability assumes that both verdicts are equally likely beforehand. Among random pairs,
  nearly all are by different artists, so most accepted pairs may be wrong."""


def example(card: ModelCard) -> str:
    """Write the program that compares two files with the exported model, as samehand does."""
    size = card.rules.size
    return f"""\
import io, json
import numpy as np, onnxruntime
from PIL import Image, ImageOps

network = onnxruntime.InferenceSession({card.file_name!r})
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
    """The lines that crop an image as `storage.datasets.crop` does."""
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


def _results(judged: Report | None) -> list[str]:
    if judged is None:
        return ["This model has not been evaluated on test artists."]
    sections = [
        escaped(judged.summary),
        contender_table(judged.contenders, judged.matched_on),
        "Brackets hold 95 % intervals from resampling the artists. The rows below the network are "
        "baselines on the same triplets and pairs.",
    ]
    if judged.matched_on is not None:
        on = judged.matched_on
        sections.append(
            f"Matched results are harder: the painting by someone else has the same {on}, so {on} "
            f"does not give the answer away."
        )
    if further := measure_table(judged.contenders[0], judged.matched_on):
        sections.append(further)
    return [*sections, fact_table(judged.facts)]


def _threshold(card: ModelCard) -> str:
    return (
        f"Two paintings are predicted to be by the same artist if their distance is at most "
        f"**{card.threshold:.4f}**. This threshold has the highest balanced accuracy on all pairs "
        f"of the validation artists (ROC AUC {card.validation_roc_auc:.3f}), and was chosen "
        f"without the test artists. The log-likelihood ratio that they are by the same artist is "
        f"`{card.calibration_slope:.4f} * ({card.calibration_midpoint:.4f} - distance)`, fitted on "
        f"the same pairs with equal weight for both kinds. At even odds, the probability is "
        f'`1 / (1 + exp(-ratio))`. The verdict is "same" up to a distance of '
        f'{card.accept_within:.4f}, "different" beyond {card.reject_beyond:.4f}, and "cannot '
        f'tell" between them.'
    )
