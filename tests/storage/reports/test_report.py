"""The report's Markdown: tables, figures and pictures."""

import re
from dataclasses import replace

import pandas as pd

from storage.reports.report import (
    MEASURES,
    Contender,
    Fact,
    Figure,
    Picture,
    Report,
    contender_table,
    epoch_table,
    escaped,
    measure_table,
    render_report,
)

NETWORK = Contender(
    "trained network",
    {
        ("triplet_accuracy", "all"): Figure(0.8125, 0.78, 0.8449),
        ("roc_auc", "all"): Figure(0.9, 0.875, 0.92549),
    },
)
MATCHED = Contender(
    "trained network",
    {
        **NETWORK.figures,
        ("triplet_accuracy", "matched"): Figure(2 / 3, 0.5, 0.75),
        ("roc_auc", "matched"): Figure(0.8, 0.7, 0.9),
    },
)
MEASURED = Contender(
    "trained network",
    {
        **NETWORK.figures,
        ("map_at_r", "all"): Figure(0.25, 0.2, 0.3),
        ("cllr", "all"): Figure(0.5, 0.4, 0.6),
    },
)
PLAIN = Contender(
    "untrained network",
    {
        ("triplet_accuracy", "all"): Figure(0.5, 0.4, 0.6),
        ("roc_auc", "all"): Figure(0.55, 0.5, 0.6),
    },
)


def cells(line: str) -> list[str]:
    """Cells of a table row, where an escaped pipe is not a border."""
    parts = re.split(r"(?<!\\)\|", line)
    assert parts[0] == parts[-1] == ""
    return [part.strip() for part in parts[1:-1]]


def tables(markdown: str) -> list[list[list[str]]]:
    """The cells of every table, whose rows must have equal length."""
    found = []
    for block in markdown.split("\n\n"):
        if block.startswith("|"):
            rows = [cells(line) for line in block.splitlines()]
            assert set(rows[1]) == {"---"}
            assert len({len(row) for row in rows}) == 1
            found.append([rows[0], *rows[2:]])
    return found


def epochs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run_id": [1, 1],
            "epoch": [0, 1],
            "train_loss": [None, 1.23456],
            "train_accuracy": [None, 0.5],
            "validation_loss": [2.0, 1.5],
            "validation_accuracy": [0.51239, 0.75],
            "test_loss": [None, None],
            "test_accuracy": [None, None],
        }
    )


REPORT = Report(
    title="Run 7: train-flow on sample",
    summary="It *works*.",
    contenders=[MEASURED, PLAIN],
    matched_on=None,
    facts=[Fact("source", "a|b\nc"), Fact("device", "cpu")],
    epochs=epochs(),
    pictures=[Picture("loss.png", "Loss"), Picture("roc.png", "ROC")],
)


def test_contenders_are_tabulated_in_per_cent() -> None:
    assert tables(contender_table([NETWORK, PLAIN], None)) == [
        [
            ["", "triplet accuracy", "ROC AUC"],
            ["trained network", "81.25 % [78.0, 84.5]", "0.900 [0.875, 0.925]"],
            ["untrained network", "50.00 % [40.0, 60.0]", "0.550 [0.500, 0.600]"],
        ]
    ]


def test_matched_metrics_have_their_own_columns() -> None:
    head, network, plain = tables(contender_table([MATCHED, PLAIN], "style"))[0]
    assert head[3:] == ["triplet accuracy, matched on style", "ROC AUC, matched on style"]
    assert network[3:] == ["66.67 % [50.0, 75.0]", "0.800 [0.700, 0.900]"]
    assert plain[3:] == ["–", "–"]


def test_without_a_matched_column_an_earlier_evaluations_matched_metrics_are_left_out() -> None:
    head, *_ = tables(contender_table([NETWORK, MATCHED], None))[0]
    assert head == ["", "triplet accuracy", "ROC AUC"]


def test_an_older_evaluation_shows_its_matched_accuracy_without_an_interval() -> None:
    matched = {("triplet_accuracy", "matched"): Figure(2 / 3)}
    older = replace(NETWORK, figures={**NETWORK.figures, **matched})
    head, network, plain = tables(contender_table([older, PLAIN], "style"))[0]
    assert head[3:] == ["triplet accuracy, matched on style"]
    assert (network[3:], plain[3:]) == (["66.67 %"], ["–"])


def test_further_measures_are_named_in_words() -> None:
    rate = {
        ("tar_at_1_percent_far", "all"): Figure(0.125, 0.1, 0.1549),
        ("tar_at_1_percent_far", "matched"): Figure(0.1),
    }
    cost = {("cllr", "all"): Figure(0.8125, 0.75, 1.2)}
    first, second = (MEASURES[name] for name in ("tar_at_1_percent_far", "cllr"))
    assert tables(measure_table(Contender("", {**cost, **rate}), "style")) == [
        [
            ["", "all paintings", "matched on style"],
            [first, "12.50 % [10.0, 15.5]", "10.00 %"],
            [second, "0.812 [0.750, 1.200]", "–"],
        ]
    ]
    assert tables(measure_table(Contender("", cost), "style"))[0][0] == ["", "all paintings"]


def test_epochs_show_only_measured_columns() -> None:
    assert tables(epoch_table(epochs())) == [
        [
            ["epoch", "train loss", "train accuracy", "validation loss", "validation accuracy"],
            ["0", "–", "–", "2.000", "51.24 %"],
            ["1", "1.235", "50.00 %", "1.500", "75.00 %"],
        ]
    ]


def test_the_report_has_all_sections_in_order() -> None:
    text = render_report(REPORT)
    places = [
        text.index(part)
        for part in (
            "# Run 7: train-flow on sample\n",
            "It \\*works\\*.",
            "| trained network |",
            "95 % intervals",
            "## More about the network",
            "| mean average precision of neighbours (MAP@R) | 25.00 % [20.0, 30.0] |",
            "## How it was measured",
            "| device | cpu |",
            "![Loss](loss.png)",
            "![ROC](roc.png)",
            "## Epochs",
            "| epoch |",
        )
    ]
    assert places == sorted(places)
    assert [len(table) for table in tables(text)] == [3, 3, 3, 3]
    assert text.endswith("|\n")


def test_a_cell_keeps_its_pipes_and_stays_on_one_line() -> None:
    facts = tables(render_report(REPORT))[2]
    assert facts[1] == ["source", r"a\|b c"]


def test_names_and_paths_are_shown_as_they_are() -> None:
    assert escaped("on /data/*old*_works_<b>|`x`") == r"on /data/\*old\*\_works\_\<b>\|\`x\`"
    assert escaped("my_paintings [1] _x_ [a](b)\n# c") == r"my_paintings [1] \_x\_ [a\](b) # c"


def test_a_report_without_measures_has_no_table_of_them() -> None:
    text = render_report(replace(REPORT, contenders=[NETWORK, PLAIN]))
    assert "More about the network" not in text
    assert len(tables(text)) == 3


def test_a_report_without_epochs_has_no_heading_for_them() -> None:
    text = render_report(replace(REPORT, epochs=epochs().head(0), pictures=[]))
    assert "Epochs" not in text
    assert "![" not in text
    assert len(tables(text)) == 3
