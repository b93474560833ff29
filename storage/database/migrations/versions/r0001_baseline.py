"""The schema of samehand 0.1.0, where upgrades begin.

A new database is created from the tables and views of the code, so this revision does nothing. Each
later one changes the tables of databases that exist, as the code changes; the views are created
anew after it.
"""

revision = "r0001_baseline"
down_revision = None


def upgrade() -> None:
    """Do nothing: a database has this revision or a later one from its creation on."""
