"""The password of the database's URL is nowhere in what a run leaves."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL
from sqlalchemy import create_engine, inspect, make_url

from tests.flows.conftest import environment_of, tiny_settings

PASSWORD = "open-sesame-4711"
COMMAND = [sys.executable, "-c", "from flows.cli import main; main()"]


def run(home: Path, api: str, url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = environment_of(home, api) | {
        "SAMEHAND_DATABASE_URL": url,
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_no_file_log_artifact_or_row_holds_the_password(
    paintings: Path, tmp_path: Path, postgres_url: str, prefect_api: str
) -> None:
    url = make_url(postgres_url).set(password=PASSWORD).render_as_string(hide_password=False)
    assert PASSWORD in url
    home = tmp_path / "home"
    trained = run(home, prefect_api, url, "train", str(paintings), *tiny_settings(), "--debug")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    away = make_url(url).set(port=1).render_as_string(hide_password=False)
    failed = run(home, prefect_api, away, "train", str(paintings), *tiny_settings(), "--debug")
    assert failed.returncode == 2
    for printed in (trained.stdout, trained.stderr, failed.stdout, failed.stderr):
        assert PASSWORD not in printed
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    of_prefect = files_of_prefects_database()
    assert any(str(paintings).encode() in path.read_bytes() for path in of_prefect)
    files += of_prefect
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []
    engine = create_engine(postgres_url)
    tables = inspect(engine).get_table_names()
    assert "runs" in tables
    for table in tables:
        assert PASSWORD not in pd.read_sql_table(table, engine).to_csv()
    engine.dispose()


def files_of_prefects_database() -> list[Path]:
    """The database of the server that all tests share, with its log of changes."""
    database = make_url(str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value())).database
    return [*Path(str(database)).parent.glob(f"{Path(str(database)).name}*")]
