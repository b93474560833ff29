"""The command line: a user's mistake is one line and exit status 2; answers come in three forms."""

import csv
import doctest
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from typer.testing import Result

from flows import prefect_plugin
from flows.cli import printing, server
from flows.cli.compare import compare_images
from flows.cli.printing import readable
from flows.cli.running import this_command
from flows.environment import workspace
from storage import csv_cells
from storage.database import questions
from tests.flows.conftest import Samehand, Trained, environment_of, tiny_settings


def assert_mistake(result: Result, *named: str) -> None:
    """One line on standard error that names what is wrong, exit status 2, no traceback."""
    told = [line for line in result.stderr.splitlines() if line.startswith("samehand: ")]
    assert len(told) == 1, result.stderr
    assert all(name in told[0] for name in named), told[0]
    assert "Traceback" not in result.output + result.stderr
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "sample", "--set", "epoch=3"], "epoch"),
        (["train", "sample", "--set", "margin=-1"], "margin"),
        (["train", "sample", "--set", "margin"], "--set margin"),
        (["train", "sample", "--preset", "fast"], "preset"),
        (["evaluate", "--set", "resamples=1"], "resamples"),
        (["evaluate", "--set", "crop_size=96"], "an evaluation cannot change it"),
        (["train", "--set", "epochs=yes"], "epochs"),
        (["train", "--set", "margin=inf"], "margin"),
        (["train", "--resume", "7"], "no results database"),
        (["train", "--resume", "last", "--set", "epochs=9"], "--resume"),
        (["train", "elsewhere", "--resume", "last"], "--resume"),
        (["train", "sample", "--resume", "last"], "--resume"),
        (["train", "--preset", "demo", "--resume", "last"], "--resume"),
        (["train", "sample", "--set", "weights=/nowhere/resnet.pth"], "/nowhere/resnet.pth"),
        (["results", "epochs", "3"], "no results database"),
        (["compare", "a.jpg", "b.jpg"], "no results database"),
        (["export", "last", "model.onnx"], "no results database"),
        (["promote", "1"], "no results database"),
        (["evaluate"], "no results database"),
        (["score", "nowhere.csv"], "nowhere.csv"),
        (["score", "README.md"], "README.md"),
    ],
)
def test_a_mistake_before_anything_starts(
    samehand: Samehand, home: Path, arguments: list[str], named: str
) -> None:
    assert_mistake(samehand(*arguments), named)
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "--resume", "7"], "no stopped run of train-flow"),
        (["train", "--resume", "last"], "no stopped run of train-flow"),
        (["results", "epochs", "3"], "no run of train-flow 3; choose from: 1, last"),
        (["results", "pairs", "9"], "no complete evaluation 9; choose from: 1, last"),
        (["results", "image", "1", "Artist"], "is part of 48 names: Artist 0/0.png, "),
        (["results", "artist", "1", "Artits 3"], "did you mean Artist 3"),
        (["results", "runs", "--columns", "id,colour"], "no column 'colour'; there are id, "),
        (["export", "7", "model.onnx"], "no model 7"),
        (["evaluate", "--model", "7"], "no model 7"),
        (["evaluate", "--source", "nowhere"], "nowhere: there is no such file"),
    ],
)
def test_a_mistake_about_what_is_there(
    samehand: Samehand, in_trained: Trained, arguments: list[str], named: str
) -> None:
    assert_mistake(samehand(*arguments), named)
    with sqlite3.connect(in_trained.database) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]


def test_mistakes_and_catalogs_need_neither_torch_nor_prefect(tmp_path: Path) -> None:
    rows = [f"Artist {n // 3},{n}.jpg" for n in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(["artist_name,image_name", *rows]))
    split = ["--set", "validation_artists=2", "--set", "test_artists=2"]
    commands = [
        ["train", "nosuch"],
        ["train", "a.csv", "--set", "matched_on=school", *split],
        ["score", "nosuch.csv"],
        ["evaluate"],
        ["prepare", "a.csv", "--catalog-only", *split],
    ]
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from flows.cli import app\n"
        f"statuses = [CliRunner().invoke(app, each).exit_code for each in {commands}]\n"
        "print(statuses, {'torch', 'prefect'} & {*sys.modules})\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment_of(tmp_path / "home") | {"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "[2, 2, 2, 2, 0] set()\n"


def test_a_pipe_in_place_of_a_file_is_refused(
    samehand: Samehand, in_trained: Trained, paintings: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    image = str(paintings / "Artist 1" / "0.png")
    assert_mistake(samehand("compare", image, str(tmp_path / "pipe")), "pipe: is not a file")
    assert_mistake(samehand("score", str(tmp_path / "pipe")), "pipe: is not a file")


def test_a_file_of_pairs_is_not_overwritten_by_its_scores(
    samehand: Samehand, in_trained: Trained, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("index,image1,image2\n0,a.png,b.png\n")
    assert_mistake(samehand("score", str(pairs), "--output", str(pairs)), "the file of pairs")
    assert pairs.read_text().endswith("0,a.png,b.png\n")


@pytest.mark.parametrize("module", [csv_cells, prefect_plugin, printing, questions, server])
def test_the_examples_are_right(module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    ("typed", "again"), [("-c", "samehand"), ("/opt/venv/bin/samehand", "/opt/venv/bin/samehand")]
)
def test_hints_name_a_command_that_works(
    typed: str, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [typed])
    assert this_command() == again


def test_a_tilde_in_the_workspace_is_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SAMEHAND_HOME", "~/paintings")
    assert workspace().home == tmp_path / "paintings"


def test_this_machine_is_asked_without_a_proxy() -> None:
    environment = {
        "HTTP_PROXY": "http://proxy:1",
        "no_proxy": "intern",
        "ALL_PROXY": "socks5://p:1",
    }
    server.bypass_proxies(environment)
    assert environment == {
        "HTTP_PROXY": "http://proxy:1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "intern,127.0.0.1,localhost",
    }


def test_the_version_is_printed(samehand: Samehand) -> None:
    assert samehand("--version").stdout == f"samehand {version('samehand')}\n"


@pytest.mark.parametrize("command", ["prepare", "train"])
def test_a_source_that_is_none_is_one_line_before_anything_starts(
    samehand: Samehand, home: Path, tmp_path: Path, command: str
) -> None:
    assert_mistake(samehand(command, str(tmp_path / "nowhere")), str(tmp_path / "nowhere"))
    assert not home.exists()


def test_a_faulty_table_is_one_line_before_anything_starts(
    samehand: Samehand, home: Path, tmp_path: Path
) -> None:
    table = tmp_path / "paintings.csv"
    table.write_text("artist_name,image_name\n,a.jpg\n")
    assert_mistake(samehand("train", str(table)), str(table))
    assert not home.exists()


def test_a_prefect_server_that_is_away_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9/api"
    done = subprocess.run(
        [sys.executable, "-c", "from flows.cli import main; main()", "train"],
        env=environment_of(tmp_path / "home") | {"PREFECT_API_URL": nobody},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("samehand: ")]
    assert nobody in told
    assert "prefect config unset PREFECT_API_URL" in told
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("validation_artists=9", "validation_artists"),
        ("test_artists=0", "test_artists"),
        ("matched_on=school", "school"),
        ("device=cuda:7", "device"),
    ],
)
def test_a_setting_that_does_not_fit_the_source(
    samehand: Samehand, home: Path, paintings: Path, setting: str, named: str
) -> None:
    name, value = setting.split("=")
    assert_mistake(samehand("train", str(paintings), *tiny_settings(**{name: value})), named)


def test_too_many_unusable_images_stop_the_run_and_few_do_not(
    samehand: Samehand, home: Path, paintings: Path, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog.csv"
    rows = [(path.parent.name, path) for path in sorted(paintings.glob("*/*.png"))]
    for _, path in rows:
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    lines = [f"{artist},{artist}/{path.name}" for artist, path in rows]
    catalog.write_text("\n".join(["artist_name,image_name", *lines]) + "\n")
    (tmp_path / "Artist 3" / "0.png").write_bytes(b"")
    settings = tiny_settings(rejected_share="0.02")
    assert_mistake(samehand("prepare", str(catalog), *settings), "Artist 3/0.png", "rejected_share")
    settings = tiny_settings(rejected_share="0.03")
    assert samehand("prepare", str(catalog), *settings).exit_code == 0
    with sqlite3.connect(home / "results.db") as database:
        rejected = database.execute("SELECT filename, reason FROM rejected_images").fetchall()
    assert [name for name, _ in rejected] == ["Artist 3/0.png"]


def test_catalog_only_needs_no_image(samehand: Samehand, home: Path, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.csv"
    rows = [f"Artist {n // 3},{n}.jpg" for n in range(30)]
    catalog.write_text("\n".join(["artist_name,image_name", *rows]))
    result = samehand(
        "prepare", str(catalog), "--preset", "reference", "--catalog-only",
        "--set", "validation_artists=4", "--set", "test_artists=0",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    printed = dict(line.rsplit(maxsplit=1) for line in result.stdout.splitlines()[-11:-1])
    assert {key.strip(): value for key, value in printed.items()}["validation artists"] == "4"
    split = csv.DictReader(Path(result.stdout.split()[-1]).read_text().splitlines())
    assert {row["split"] for row in split} == {"train", "validation"}
    assert not (home / "datasets").exists()


def test_catalog_only_names_the_files_that_it_leaves_out(
    samehand: Samehand, home: Path, paintings: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(paintings, source)
    (source / "Artist 3" / "phone.heic").write_bytes(b"not decoded here")
    split = ["--set", "validation_artists=4", "--set", "test_artists=4"]
    result = samehand("prepare", str(source), "--catalog-only", *split)
    assert result.exit_code == 0, result.output
    assert "left out 1 .heic files (Artist 3/phone.heic)" in " ".join(result.stderr.split())


def test_the_tables_come_in_three_forms(samehand: Samehand, in_trained: Trained) -> None:
    as_json = json.loads(samehand("results", "epochs", "last", "--format", "json").stdout)
    as_csv = list(
        csv.DictReader(io.StringIO(samehand("results", "epochs", "1", "--format", "csv").stdout))
    )
    assert [row["epoch"] for row in as_json] == [1, 2]
    assert [float(row["test_accuracy"]) for row in as_csv] == pytest.approx(
        [row["test_accuracy"] for row in as_json]
    )
    assert "test_accuracy" in samehand("results", "epochs", "1").stdout
    for table in ("runs", "evaluations", "leaderboard"):
        assert "1" in samehand("results", table).stdout


def test_a_table_for_people_fits_the_terminal() -> None:
    moment = pd.Timestamp("2026-01-02 03:04:05.678901", tz="UTC")
    path, fault = "/long" * 20 + "/runs/1", "first things first " + "and so on" * 20
    row = {"started_at": moment, "directory": path, "error": fault, "device": None, "seed": 7}
    header, line = readable(pd.DataFrame([row]), 80).splitlines()
    assert len(line) == 80
    assert header.split() == ["started_at", "directory", "error", "seed"]
    when, directory, error, seed = re.split(r"  +", line)
    assert re.fullmatch(r"2026-01-0\d \d\d:\d4 \w+", when)  # local time, and its zone
    assert directory.startswith("/long")
    assert "…" in directory
    assert directory.endswith("/runs/1")
    assert error.startswith("first things")
    assert seed == "7"
    assert path in readable(pd.DataFrame([row]))


def test_a_count_that_is_missing_is_a_dash() -> None:
    counts = pd.DataFrame({"n_pairs": pd.array([6, None], dtype="Int64")})
    assert readable(counts).split() == ["n_pairs", "6", "–"]


def test_columns_are_chosen(samehand: Samehand, in_trained: Trained) -> None:
    assert samehand("results", "runs", "--columns", "status,id").stdout.split() == [
        "status", "id", "complete", "1",
    ]  # fmt: skip
    chosen = samehand("results", "runs", "--columns", "seed", "--format", "csv").stdout
    assert chosen == "seed\n0\n"
    assert "device" not in samehand("results", "runs").stdout
    assert "device" in samehand("results", "runs", "--wide").stdout


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (["models"], "resnet|demo"),
        (["datasets"], "12 +48 +0"),
        (["artists"], r"Artist 11 +\w+ +4"),
        (["rejected"], "nothing to show"),
        (["baselines"], "mean colour"),
        (["run", "1"], r"settings.epochs +2"),
        (["run", "last"], r"status +complete"),
        (["run", "1"], r"process_1.precision +float32"),
        (["calibration", "last"], r" cannot tell\n"),
        (["reliability"], r"\n +\d +0\.\d+ +[01]\.\d+ +\d+\n"),
        (["by-artist"], r"Artist \d+ +4 +[01]\.\d+ +[01]\.\d+ +Artist \d+"),
    ],
)
def test_each_question_has_an_answer(
    samehand: Samehand, in_trained: Trained, question: list[str], told: str
) -> None:
    answer = samehand("results", *question).stdout
    assert re.search(told, answer), answer


def test_an_artist_is_found_by_a_part_of_the_name_in_any_case(
    samehand: Samehand, in_trained: Trained
) -> None:
    rows = json.loads(samehand("results", "artists", "--format", "json").stdout)
    tested = next(row["name"] for row in rows if row["split"] == "test")
    whole = samehand("results", "artist", "1", tested, "--format", "csv").stdout
    assert tested in whole
    assert samehand("results", "artist", "1", tested.upper(), "--format", "csv").stdout == whole


def test_a_name_that_looks_like_a_formula_is_text_in_csv(
    samehand: Samehand, in_copy: Trained, tmp_path: Path
) -> None:
    with sqlite3.connect(in_copy.database) as database:
        database.execute("UPDATE artists SET name = '=cmd()' WHERE name = 'Artist 1'")
    printed = samehand("results", "artists", "--format", "csv").stdout
    assert "'=cmd()," in printed
    assert "\n=cmd()" not in printed
    samehand("results", "export", "1", str(tmp_path / "pairs.csv"))
    assert "=cmd()" not in (tmp_path / "pairs.csv").read_text().replace("'=cmd()", "")


def test_what_changed_between_evaluations_comes_in_three_forms(
    samehand: Samehand, in_trained: Trained
) -> None:
    rows = json.loads(samehand("results", "changes", "1", "last", "--format", "json").stdout)
    assert {"metric": "flipped_pairs", "before": None, "after": None, "difference": 0} in rows
    assert all(row["difference"] == 0 for row in rows)
    assert "roc_auc" in samehand("results", "changes", "1", "1").stdout
    as_csv = samehand("results", "changes", "1", "1", "--format", "csv").stdout
    assert as_csv.startswith("metric,before,after,difference\n")


def test_the_hardest_pairs_come_first(samehand: Samehand, in_trained: Trained) -> None:
    answer = samehand("results", "pairs", "1", "--hardest", "--limit", "3", "--format", "json")
    rows = json.loads(answer.stdout)
    assert len(rows) == 3
    assert [row["correct"] for row in rows] == sorted(row["correct"] for row in rows)
    for kind in (True, False):
        gaps = [row["wrong_by"] for row in rows if row["same_artist"] is kind]
        assert gaps == sorted(gaps, reverse=True)


def test_a_picture_and_itself_are_the_same_picture(
    samehand: Samehand, in_trained: Trained, paintings: Path, tmp_path: Path
) -> None:
    image, copy = paintings / "Artist 1" / "0.png", tmp_path / "copy.png"
    copy.write_bytes(image.read_bytes())
    found = json.loads(samehand("compare", str(image), str(copy), "--json").stdout)
    assert found["distance"] == 0
    assert found["same_artist"] is True
    assert found["probability"] >= 0.5
    assert found["same_file"] is True
    assert "same_file" in {caution["code"] for caution in found["cautions"]}
    answer = samehand("compare", str(image), str(copy)).stdout
    assert "verdict      the same picture" in answer
    assert "%" not in answer


def test_a_copy_of_a_picture_is_the_same_picture(
    samehand: Samehand, in_trained: Trained, paintings: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    spots = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((400, 300))
    spots.save(tmp_path / "one.png")
    spots.resize((200, 150)).save(tmp_path / "half.jpg", quality=50)
    files = [str(tmp_path / name) for name in ("one.png", "half.jpg")]
    found = json.loads(samehand("compare", *files, "--json").stdout)
    assert (found["same_file"], found["same_picture"]) == (False, True)
    assert "same_picture" in {caution["code"] for caution in found["cautions"]}
    assert "verdict      the same picture, in two files" in samehand("compare", *files).stdout


def test_what_a_source_holds_twice_is_listed_and_drawn(
    samehand: Samehand, paintings: Path, tmp_path: Path, home: Path
) -> None:
    rng = np.random.default_rng(0)
    for artist in ("Hals", "Goya"):
        (tmp_path / "source" / artist).mkdir(parents=True)
        for number in range(2):
            spots = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            spots.resize((400, 300)).save(tmp_path / "source" / artist / f"{number}.png")
    with Image.open(tmp_path / "source" / "Hals" / "0.png") as image:
        image.resize((200, 150)).save(tmp_path / "source" / "Goya" / "half.jpg")
    (tmp_path / "source" / "Goya" / "torn.jpg").write_bytes(b"\xff\xd8")
    picture = tmp_path / "twins.png"
    options = ("--format", "json", "--picture", str(picture))
    answer = samehand("duplicates", str(tmp_path / "source"), *options)
    (found,) = json.loads(answer.stdout)
    assert {found["filename"], found["duplicate_of"]} == {"Hals/0.png", "Goya/half.jpg"}
    assert {found["artist"], found["its_artist"]} == {"Hals", "Goya"}
    assert found["kind"] == "copy"
    with Image.open(picture) as drawn:
        assert drawn.width > 500
    assert samehand("duplicates", str(tmp_path), "--picture", "twins.txt").exit_code == 2


def test_a_comparison_says_what_makes_it_doubtful(
    samehand: Samehand, in_trained: Trained, paintings: Path, tmp_path: Path
) -> None:
    white, black, blurred = (tmp_path / f"{name}.png" for name in ("white", "black", "blurred"))
    Image.new("RGB", (3, 3), "white").save(white)
    Image.new("RGB", (300, 300), "black").save(black)
    with sqlite3.connect(in_trained.database) as database:
        (trained_on,), (unseen,) = (
            database.execute(f"SELECT min(filename) FROM images WHERE split = '{split}'").fetchone()
            for split in ("train", "test")
        )

    def cautions(*images: Path | str) -> list[str]:
        answer = samehand("compare", *map(str, images), "--json").stdout
        codes = [caution["code"] for caution in json.loads(answer)["cautions"]]
        return [code for code in codes if code not in ("weak_model", "unfamiliar")]

    assert cautions(white, black) == ["too_small", "nearly_blank"]
    assert cautions(paintings / trained_on, paintings / unseen) == ["trained_on"]
    spots = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(spots).resize((64, 64), Image.Resampling.BICUBIC).save(blurred)
    assert cautions(paintings / unseen, blurred) == ["upscaled"]
    assert cautions(paintings / unseen, black) == ["nearly_blank"]
    assert f"{white}: 3 x 3 pixels" in samehand("compare", str(white), str(black)).stdout


def test_a_picture_unlike_all_paintings_is_a_caution(
    samehand: Samehand, in_copy: Trained, paintings: Path
) -> None:
    """The reach is that of validation images, so it is made to exclude them."""
    images = [str(paintings / f"Artist {number}" / "0.png") for number in (1, 2)]
    (kept,) = in_copy.home.rglob("*.seen.npz")
    with np.load(kept) as arrays:
        parts = dict(arrays)

    def unfamiliar() -> list[str]:
        answer = json.loads(samehand("compare", *images, "--json").stdout)
        return [each["image"] for each in answer["cautions"] if each["code"] == "unfamiliar"]

    np.savez(kept, **(parts | {"reach": np.array(1e6)}))
    assert unfamiliar() == []
    np.savez(kept, **(parts | {"seen": parts["seen"] + 9e6}))
    assert unfamiliar() == images
    kept.unlink()  # a model of an earlier version
    assert unfamiliar() == []


def test_what_the_network_saw_is_drawn(
    samehand: Samehand, in_trained: Trained, paintings: Path, tmp_path: Path
) -> None:
    images = [str(paintings / f"Artist {number}" / "0.png") for number in (1, 2)]
    target = tmp_path / "seen.png"
    answer = samehand("compare", *images, "--picture", str(target))
    assert answer.exit_code == 0, answer.output
    with Image.open(target) as drawn:
        pixels = np.asarray(drawn.convert("RGB"))
    greens = (np.abs(pixels - np.array([0x78, 0xB2, 0x8E])) < 12).all(axis=2)
    assert greens.sum() > 500  # the histogram of pairs by one artist
    for wrong in ("seen.txt", "nowhere/seen.png"):
        refused = samehand("compare", *images, "--picture", str(tmp_path / wrong))
        assert refused.exit_code == 2
        assert "name a .png file in a folder that is there" in " ".join(refused.stderr.split())


def test_pictures_larger_than_pillow_allows_are_compared(
    samehand: Samehand,
    in_trained: Trained,
    paintings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only their middle is decoded, and their size is read by the same decoder."""
    with Image.open(paintings / "Artist 1" / "0.png") as image:
        image.resize((800, 600)).save(tmp_path / "large.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800 * 600 // 2 - 1)
    answer = samehand("compare", str(tmp_path / "large.jpg"), str(paintings / "Artist 2" / "0.png"))
    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize("better", [True, False])
def test_a_model_no_better_than_a_baseline_is_a_caution(
    samehand: Samehand, in_copy: Trained, paintings: Path, better: bool
) -> None:
    with sqlite3.connect(in_copy.database) as database:
        database.execute(f"UPDATE baselines SET roc_auc = {0.0 if better else 1.0}")
        database.execute("UPDATE evaluations SET roc_auc = 0.9")
    first, second = paintings / "Artist 1" / "0.png", paintings / "Artist 2" / "0.png"
    answer = samehand("compare", str(first), str(second)).stdout
    assert ("no better than its baseline" in answer) is not better


def test_the_prior_is_stated_and_moves_the_probability(
    samehand: Samehand, in_trained: Trained, paintings: Path
) -> None:
    images = [str(paintings / f"Artist {number}" / "0.png") for number in (1, 2)]
    even = json.loads(samehand("compare", *images, "--json").stdout)
    rare = json.loads(samehand("compare", *images, "--json", "--prior", "0.01").stdout)
    odds = even["probability"] / (1 - even["probability"]) / 99
    assert rare["probability"] == pytest.approx(odds / (1 + odds))
    assert rare["verdict"] == even["verdict"]
    assert "at even odds" in samehand("compare", *images).stdout
    assert "if it was 1 % before" in samehand("compare", *images, "--prior", "0.01").stdout
    assert samehand("compare", *images, "--prior", "0").exit_code == 2


def test_compare_gives_the_distance_that_the_database_holds(
    samehand: Samehand, in_trained: Trained, paintings: Path
) -> None:
    with sqlite3.connect(in_trained.database) as database:
        first, second, stored = database.execute(
            "SELECT filename_a, filename_b, distance FROM pair_results LIMIT 1"
        ).fetchone()
    answer = samehand("compare", str(paintings / first), str(paintings / second), "--json")
    assert json.loads(answer.stdout)["distance"] == pytest.approx(stored, rel=1e-4)


def test_compare_imports_neither_torch_nor_prefect_nor_a_way_to_many_rows(
    in_trained: Trained, paintings: Path, tmp_path: Path
) -> None:
    image = str(paintings / "Artist 1" / "0.png")
    program = tmp_path / "compare.py"
    program.write_text(
        "import atexit, sys\n"
        "from flows.cli import main\n"
        "atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules}))\n"
        "main()\n"
    )
    ran = subprocess.run(
        [sys.executable, str(program), "compare", image, image],
        env=environment_of(in_trained.home) | {"PYTHONPATH": str(Path.cwd())},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    *answer, loaded = ran.stdout.splitlines()
    assert "the same picture" in answer[2]
    assert {"onnxruntime", "numpy", "flows"} <= set(loaded.split())
    unneeded = {"torch", "torchvision", "timm", "onnx", "prefect", "pandas", "pyarrow", "scipy"}
    unneeded |= {"sklearn", "sqlalchemy", "alembic", "psycopg", "matplotlib"}
    assert not unneeded & set(loaded.split())


def test_two_images_get_the_verdict_that_their_evaluation_gave_them(
    in_trained: Trained, paintings: Path
) -> None:
    with sqlite3.connect(in_trained.database) as database:
        rows = database.execute(
            "SELECT filename_a, filename_b, distance, predicted_same, threshold, verdict,"
            " log_likelihood_ratio, probability FROM pair_results"
        ).fetchall()
    assert len(rows) == 66
    for first, second, stored, predicted_same, threshold, verdict, ratio, even in rows:
        found = compare_images(paintings / first, paintings / second, None, 0.1, workspace())
        assert found.distance == pytest.approx(stored, rel=1e-4, abs=1e-5)
        if abs(stored - threshold) > 1e-4 * threshold:
            assert found.same_artist == predicted_same
            assert found.verdict == verdict
        assert found.log_likelihood_ratio == pytest.approx(ratio, rel=1e-3, abs=1e-3)
        odds = even / (1 - even) / 9  # stored at even odds, compared at 1 to 9
        assert found.probability == pytest.approx(odds / (1 + odds), rel=1e-2, abs=1e-6)


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_an_image_that_is_none_is_named(
    samehand: Samehand, in_trained: Trained, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "torn.jpg").write_bytes(content)
    Image.new("RGB", (40, 40)).save(tmp_path / "good.png")
    result = samehand("compare", str(tmp_path / "good.png"), str(tmp_path / "torn.jpg"))
    assert_mistake(result, "torn.jpg")


def test_every_deployment_names_a_flow_of_its_own_name() -> None:
    from importlib import import_module

    deployments = yaml.safe_load(Path("prefect.yaml").read_text())["deployments"]
    names = [deployment["name"] for deployment in deployments]
    assert names == [
        "prepare-flow",
        "train-flow",
        "evaluate-flow",
        "atlas-flow",
        "sweep-flow",
        "score-flow",
    ]
    for deployment in deployments:
        path, function = deployment["entrypoint"].split(":")
        flow = getattr(import_module(path.removesuffix(".py").replace("/", ".")), function)
        assert flow.name == deployment["name"]
        assert deployment["work_pool"]["name"] == "samehand"
        assert set(deployment["parameters"]) <= set(flow.parameters.properties)


def test_a_model_is_promoted_by_its_number(samehand: Samehand, in_copy: Trained) -> None:
    assert samehand("promote", "1", "--reason", "the test asks for it").exit_code == 0
    history = json.loads(samehand("results", "champions", "--format", "json").stdout)
    assert history[0]["reason"] == "the test asks for it"
    assert "@" in history[0]["promoted_by"]
    assert [row["reason"] for row in history[1:]] == ["first of its purpose"]
    with sqlite3.connect(in_copy.database) as database:
        assert database.execute("SELECT id FROM models WHERE is_champion").fetchall() == [(1,)]
    refused = samehand("promote", "7")
    assert refused.exit_code == 2
    assert "there is no model 7; choose from: 1, last" in refused.output
