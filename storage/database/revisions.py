"""The revisions of the schema: the names of the files that upgrade to each, oldest first."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


def revisions(migrations: Path = MIGRATIONS) -> list[str]:
    """Return all revisions, oldest first."""
    return sorted(file.stem for file in migrations.glob("versions/r*.py"))


def newest_revision() -> str:
    """Return the revision of this program's schema."""
    return revisions()[-1]
