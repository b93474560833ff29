"""Every benchmark at a tiny size: it runs, says what it should, and its ways agree."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import (
    cold,
    cropping,
    evaluation,
    exported,
    learning,
    limits,
    memory,
    scale,
    shards,
    training,
    triplets,
)
from benchmarks.amount import Amount, amount_on
from benchmarks.limits import Rates
from benchmarks.machine import this_machine
from benchmarks.report import Row, Table, keep, markdown
from model.compute import Precision
from model.training import Recipe

REFERENCE = "the reference's way"
RATE: dict[Precision, float] = {"float32": 1e11, "bfloat16": 3e11}
RATES = Rates(RATE, RATE, RATE)


def rows_of(table: Table) -> dict[str, Row]:
    """The rows by what they say; each table prints, and everything in it took some time."""
    lines = list(markdown(table))
    assert len(lines) == 2 + len(table.rows)
    assert all(line.count("|") == 5 for line in lines)
    rows = {row.what: row for row in table.rows}
    assert len(rows) == len(table.rows)
    assert all(row.value > 0 for row in table.rows if row.unit in ("s", "GB", "GFLOP/s", "GB/s"))
    return rows


def test_limits() -> None:
    rows = rows_of(limits.measure("cpu", Amount(side=64, convolved=1, copied=1 << 16)))
    assert len(rows) == 7


def test_a_gpu_gets_the_references_batches_and_a_millisecond_of_work() -> None:
    amount = amount_on("cuda")
    assert amount.batch == Recipe().batch_size
    assert 2 * amount.side**3 > 1e12  # operations, of which an H200 does 1e15 a second
    assert 2 * amount.copied > 5e9  # bytes, and 5e12


def test_the_operations_counted_are_those_of_resnet18() -> None:
    # Torchvision's own page says 1.81 billion multiply-adds, 0.5 million of them in what is left
    # out here, and each is two operations; the head's are 2 x (25,088 x 256 + 256 x 64).
    head = 2 * (25_088 * 256 + 256 * 64)
    assert limits.operations(1, 224, training=False) == pytest.approx(2 * 1.814e9 + head, rel=2e-3)


def test_training() -> None:
    rows = rows_of(training.measure("cpu", RATES, Amount(batch=4, steps=2), size=32, rounds=1))
    images = {name: row.note.partition(",")[0] for name, row in rows.items() if row.note}
    assert images == {
        REFERENCE: "12 images",
        "float32, roles": "12 images",
        "bfloat16, roles": "12 images",
        "bfloat16, together": "12 images",
        "bfloat16, shared": "4 images",
    }
    for name, embedded in images.items():
        rate = int(embedded.removesuffix(" images")) / rows[name].value
        assert rows[name].note == f"{embedded}, {rate:,.0f} a second"
    assert rows[REFERENCE].ratio == 1


def test_learning() -> None:
    rows = rows_of(learning.measure("cpu", size=32, epochs=2, triplets=10))
    first = {
        name: float(row.note.removeprefix("loss ").split(", ")[0]) for name, row in rows.items()
    }
    assert len(first) == 5
    # Before the first step all are one network.
    assert first["float32, roles"] == pytest.approx(first[REFERENCE], abs=0.002)
    assert first["bfloat16, roles"] == pytest.approx(first[REFERENCE], abs=0.05)
    assert all("," in row.note for row in rows.values())


def test_evaluation() -> None:
    table = evaluation.measure("cpu", RATES, size=32, images=182, part=2, rounds=1)
    rows = rows_of(table)
    assert rows["float32: relative error of the embeddings"].value < 1e-5
    assert rows["bfloat16: relative error of the embeddings"].value < 0.02
    assert rows["float32: triplet accuracy apart"].value < 0.1
    assert rows["bfloat16: triplet accuracy apart"].value <= 0.3


def test_exported() -> None:
    name = "ResNet-18"
    rows = rows_of(exported.measure(names=[name], images=24, rounds=1))
    slow, fast = rows[f"{name}, torch, channels last"], rows[f"{name}, exported"]
    assert fast.ratio == pytest.approx(slow.value / fast.value)
    assert rows[f"{name}: relative error of the embeddings"].value < 1e-5
    same = rows[f"{name}: pairs with the same verdict"]
    assert same.note.endswith(f" of {24 * 23 // 2}")
    assert same.value > 99


@pytest.mark.parametrize("given", [True, False])
def test_cropping(given: bool, tmp_path: Path) -> None:
    for number in range(2):
        cold.write_painting(tmp_path / f"{number}.jpg", number)
    rows = rows_of(cropping.measure(tmp_path if given else None, count=2, rounds=1))
    assert rows["farthest from the whole image's crop"].value <= 1


def test_triplets() -> None:
    assert len(rows_of(triplets.measure(count=50, artists=5, rounds=1))) == 3
    drawn = triplets.draw_one_by_one([0, 0, 1, 1, 1], 20)
    artists = [0, 0, 1, 1, 1]
    for anchor, positive, negative in drawn:
        assert anchor != positive
        assert artists[anchor] == artists[positive] != artists[negative]


def test_memory() -> None:
    rows = rows_of(memory.measure("cpu", size=64, trained=2_400, embedded=256, batches=(96,)))
    sizes = [row.value for row in rows.values() if row.unit == "GB"]
    assert all(0 < size < 2 for size in sizes)
    plain, checkpointed, _ = sizes
    # Of 288 images the activations of 96 are held, which at this size are 0.08 GB or more.
    assert plain - checkpointed > 0.08


def test_a_new_table_replaces_the_stored_one(tmp_path: Path) -> None:
    machine = this_machine("cpu")
    for value in (1.0, 2.0):
        table = Table("one", "work", (Row("what", value, "s"),))
        path = keep(table, machine, tmp_path)
    keep(Table("other", "work", ()), machine, tmp_path)
    kept = json.loads(path.read_text())
    assert path.name == f"{machine.name}.json"
    assert set(kept) == {"one", "other"}
    assert kept["one"]["rows"][0]["value"] == 2.0
    assert torch.__version__.startswith(kept["one"]["versions"]["torch"])


def test_what_an_image_costs_grows_as_the_law_says() -> None:
    linear = scale.Law(images=100, each=0.02, more=0.0, kept=50)
    assert linear.cost(300).core_seconds == pytest.approx(6.0)
    graph = scale.Law(images=100, each=0.02, more=0.01, kept=50)
    assert graph.cost(800).core_seconds == pytest.approx(800 * (0.02 + 3 * 0.01))
    assert graph.cost(800).kept == 40_000


def test_stages_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def doubling(count: int) -> scale.Cost:
        ran.append(count)
        return scale.Cost(count * (1 + count.bit_length()), 7 * count)

    stage = scale.Stage(doubling, 64, checked=(2, 4), graph=True)
    assert stage.law() == scale.Law(64, 8, 1, 7)  # 6 + 1 bits, and one more with each doubling
    assert ran == [16, 64, 32]
    monkeypatch.setattr(scale, "stages", lambda share: {"doubling": stage})
    rows = rows_of(scale.measure())
    assert rows["doubling, 128"].ratio == rows["doubling, 256"].ratio == 1.0
    assert rows["doubling, 100,000,000"].note == "0.001 TB"


@pytest.mark.parametrize("name", sorted(scale.stages().keys() - {"embed"}))
def test_each_stage_runs(name: str) -> None:
    cost = scale.stages()[name].run(3_000 if "store" in name else 16)
    assert cost.core_seconds > 0
    assert cost.kept > 0


@pytest.mark.slow
def test_embedding_runs() -> None:
    embed = scale.EmbedAll("demo")
    one, two = embed(8), embed(16)
    assert one.core_seconds > 0
    assert two.kept == 2 * one.kept > 16 * 1_000


def test_shards(prefect_server: None, capsys: pytest.CaptureFixture[str]) -> None:
    shards.main(20)
    rows = [Row(**row) for row in json.loads(capsys.readouterr().out.splitlines()[-1])]
    assert [row.unit for row in rows] == ["GB", "ms"] * 2
    assert all(row.value > 0 for row in rows)
