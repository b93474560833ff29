"""A collection is embedded once, and then asked."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.flows.conftest import Samehand, Trained, environment_of


@pytest.fixture(scope="module")
def asked(
    trained: Trained, prefect_server: None, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    """A copy of the trained workspace, with an atlas of the paintings it was trained on."""
    from typer.testing import CliRunner

    from flows.cli import app

    home = tmp_path_factory.mktemp("asked") / "home"
    shutil.copytree(trained.home, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMEHAND_HOME", str(home))
        patch.delenv("SAMEHAND_DATABASE_URL", raising=False)
        result = CliRunner().invoke(app, ["atlas"])
    assert result.exit_code == 0, result.output
    return Trained(home, result.output)


@pytest.fixture
def in_asked(asked: Trained, monkeypatch: pytest.MonkeyPatch) -> Trained:
    monkeypatch.setenv("SAMEHAND_HOME", str(asked.home))
    monkeypatch.delenv("SAMEHAND_DATABASE_URL", raising=False)
    return asked


def rows(database: Path, query: str) -> list[Any]:
    with sqlite3.connect(database) as connection:
        return connection.execute(query).fetchall()


def kept(asked: Trained) -> dict[str, np.ndarray]:
    (file,) = asked.home.rglob("atlas.npz")
    with np.load(file) as arrays:
        return dict(arrays)


def test_every_picture_has_its_ten_nearest(asked: Trained) -> None:
    arrays = kept(asked)
    points, names = arrays["points"].astype(float), arrays["names"]
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(distance, np.inf)
    stored = rows(
        asked.database,
        "SELECT i.filename, rank, distance FROM neighbours JOIN images i ON i.id = image_id"
        " ORDER BY i.filename, rank",
    )
    assert len(stored) == 48 * 10
    expected = dict(zip(names.tolist(), np.sort(distance)[:, :10], strict=True))
    for name, rank, found in stored:
        assert found == pytest.approx(expected[name][rank - 1], abs=1e-4)


def test_the_page_has_every_picture(asked: Trained) -> None:
    (page,) = asked.home.rglob("atlas.html")
    assert str(page) in asked.output.replace("\n", "")
    (data,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text()
    )
    shown = json.loads(data)
    assert sorted(shown["file_name"]) == sorted(kept(asked)["names"].tolist())
    assert len(list((page.parent / "thumbnails").iterdir())) == 1
    doubtful = "SELECT filename FROM doubtful ORDER BY likely_probability DESC"
    listed = [shown["file_name"][place] for place in shown["doubtful"]]
    assert [(name,) for name in listed] == rows(asked.database, doubtful)
    place = shown["file_name"].index("Artist 1/0.png")
    nearest = (
        "SELECT other.filename FROM neighbours JOIN images i ON i.id = image_id"
        " JOIN images other ON other.id = neighbour_id"
        " WHERE i.filename = 'Artist 1/0.png' ORDER BY rank"
    )
    listed = [shown["file_name"][other] for other, _ in shown["neighbours"][place]]
    assert [(name,) for name in listed] == rows(asked.database, nearest)
    none = (
        "SELECT probability FROM attributions JOIN images i ON i.id = image_id"
        " WHERE i.filename = 'Artist 1/0.png' AND rank = 0"
    )
    *_, (last, share) = shown["attribution"][place]
    assert shown["artists"][last] == "none of these"
    assert [(pytest.approx(share, abs=1e-4),)] == rows(asked.database, none)
    splits = dict(rows(asked.database, "SELECT filename, split FROM images"))
    assert shown["split"] == [splits[name] for name in shown["file_name"]]


def test_every_picture_has_its_artists_its_own_and_none(asked: Trained) -> None:
    total = rows(
        asked.database,
        "SELECT sum(rank = 0 AND a.artist_id IS NULL), sum(rank = 1), count(DISTINCT image_id),"
        " sum(a.artist_id = i.artist_id) FROM attributions a JOIN images i ON i.id = image_id",
    )
    assert total == [(48, 48, 48, 48)]
    ((most,),) = rows(
        asked.database,
        "SELECT max(total) FROM"
        " (SELECT sum(probability) total FROM attributions GROUP BY image_id)",
    )
    assert most <= 1 + 1e-9
    (stored,) = rows(asked.database, "SELECT n_images, n_artists, model_id, run_id FROM atlases")
    assert stored == (48, 12, 1, 2)
    assert {name for (name,) in rows(asked.database, "SELECT metric FROM atlas_measures")} == {
        "top_1",
        "top_5",
        "unknown_roc_auc",
    }
    top_1 = "SELECT avg(rank = 1) FROM attributions JOIN images i ON i.id = image_id"
    ((right,),) = rows(asked.database, f"{top_1} WHERE attributions.artist_id = i.artist_id")
    ((measured,),) = rows(asked.database, "SELECT value FROM atlas_measures WHERE metric = 'top_1'")
    assert right == pytest.approx(measured)


def test_a_picture_of_the_collection_finds_itself_and_its_artist(
    samehand: Samehand, in_asked: Trained, paintings: Path
) -> None:
    image = str(paintings / "Artist 1" / "0.png")
    (found,) = json.loads(samehand("neighbours", image, "--count", "3", "--json").stdout)
    assert len(found["nearest"]) == 3
    assert found["nearest"][0] == {
        "filename": "Artist 1/0.png",
        "artist": "Artist 1",
        "distance": pytest.approx(0, abs=1e-4),
    }
    assert "same_picture" in {caution["code"] for caution in found["cautions"]}
    answer = samehand("attribute", image, image, "--top", "12", "--json")
    first, second = json.loads(answer.stdout)
    assert first["artists"] == second["artists"]
    given = [each["probability"] for each in first["artists"]]
    assert sum(given) + first["none_of_these"] == pytest.approx(1)
    assert given == sorted(given, reverse=True)
    printed = samehand("attribute", image).stdout
    assert "none of these" in printed
    assert "Artist 1: Artist 1/0.png" in printed


def test_doubtful_pictures_are_those_of_the_view(samehand: Samehand, in_asked: Trained) -> None:
    listed = json.loads(samehand("doubtful", "--format", "json").stdout)
    expected = rows(
        in_asked.database,
        "SELECT count(*) FROM attributions a JOIN images i ON i.id = image_id"
        " WHERE rank = 1 AND probability > 0.5 AND a.artist_id != i.artist_id",
    )
    assert [(len(listed),)] == expected
    assert all(row["likely_artist"] != row["artist"] for row in listed)
    given = [row["likely_probability"] for row in listed]
    assert given == sorted(given, reverse=True)


def test_a_doubtful_picture_is_found(
    samehand: Samehand, asked: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(asked.home, home)
    monkeypatch.setenv("SAMEHAND_HOME", str(home))
    with sqlite3.connect(home / "results.db") as database:
        database.execute("UPDATE attributions SET probability = 0.1 WHERE rank != 0")
        ((image, artist),) = database.execute(
            "SELECT image_id, a.artist_id FROM attributions a JOIN images i ON i.id = image_id"
            " WHERE rank = 1 AND a.artist_id != i.artist_id LIMIT 1"
        ).fetchall()
        database.execute(
            "UPDATE attributions SET probability = 0.8 WHERE image_id = ? AND rank = 1", (image,)
        )
        expected = database.execute(
            "SELECT filename, name FROM images, artists WHERE images.id = ? AND artists.id = ?",
            (image, artist),
        ).fetchall()
    (row,) = json.loads(samehand("doubtful", "--format", "json").stdout)
    assert [(row["filename"], row["likely_artist"])] == expected
    assert (row["probability"], row["likely_probability"]) == (0.1, 0.8)


def test_a_stopped_atlas_goes_on_with_its_shards(
    samehand: Samehand, asked: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(asked.home, home)
    monkeypatch.setenv("SAMEHAND_HOME", str(home))
    monkeypatch.delenv("SAMEHAND_DATABASE_URL", raising=False)
    (shard,) = home.rglob("model-1-shard-1.npz")
    with sqlite3.connect(home / "results.db") as database:  # as a kill while storing leaves it
        database.execute("UPDATE runs SET status = 'crashed' WHERE id = 2")
        database.execute("DELETE FROM atlas_measures")
    with np.load(shard) as arrays:
        np.savez(shard, embeddings=arrays["embeddings"] * 2)  # so that its use is seen
    result = samehand("atlas", "--resume", "last")
    assert result.exit_code == 0, result.output
    (file,) = home.rglob("atlas.npz")
    with np.load(file) as arrays:
        assert np.allclose(arrays["points"], kept(asked)["points"] * 2)
    assert rows(home / "results.db", "SELECT count(*), max(run_id) FROM atlases") == [(1, 2)]
    assert rows(home / "results.db", "SELECT count(*) FROM neighbours") == [(480,)]
    assert rows(home / "results.db", "SELECT count(*) FROM atlas_measures") == [(3,)]


def test_without_an_atlas_the_command_that_makes_one_is_told(
    samehand: Samehand, in_trained: Trained, paintings: Path
) -> None:
    image = str(paintings / "Artist 1" / "0.png")
    refused = samehand("attribute", image, "--against", "nowhere")
    assert refused.exit_code == 2
    told = " ".join(refused.stderr.split())
    assert "has no atlas of" in told
    assert f"make one with `samehand atlas {Path('nowhere').absolute()} --model 1`" in told
    assert samehand("doubtful").exit_code == 2


def test_asking_takes_neither_torch_nor_prefect(asked: Trained, paintings: Path) -> None:
    code = (
        "import sys; from flows.cli.app import app; app(standalone_mode=False);"
        "assert not {'torch', 'prefect', 'sqlalchemy'} & {*sys.modules}"
    )
    image = str(paintings / "Artist 1" / "0.png")
    done = subprocess.run(
        [sys.executable, "-c", code, "attribute", image],
        env=environment_of(asked.home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
