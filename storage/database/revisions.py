"""Which revision the schema is, told by the names of the files that upgrade to each."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


def newest_revision() -> str:
    """The revision that our schema is."""
    newest = max(file.name for file in MIGRATIONS.glob("versions/r*.py"))
    return newest.removeprefix("r").partition("_")[0]
