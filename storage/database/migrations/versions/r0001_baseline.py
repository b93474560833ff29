"""The schema of samehand 0.1.0, where upgrades begin.

A new database is made from the tables and views of the code, so there is nothing to do here. Every
later revision changes the tables of a database that exists; views are made anew after it.
"""

revision = "r0001_baseline"
down_revision = None


def upgrade() -> None:
    """Do nothing: this revision is never run, only stamped."""
