"""Write the statements that create a database, as `baseline/` keeps those of samehand 0.1.0.

    python -m tests.storage.database.write_baseline sqlite:///new.db

Only until that release: afterwards its schema changes by revisions, and these files never.
"""

import sys
from pathlib import Path

from sqlalchemy import create_engine, event

from storage.database.schema import bring_up_to_date


def write_baseline(url: str) -> None:
    """Create tables and views in an empty database, and write down by which statements."""
    engine, statements = create_engine(url), []

    def note(*given: object) -> None:
        if str(given[2]).lstrip().startswith(("CREATE", "ALTER", "INSERT")):
            statements.append(str(given[2]).strip())

    event.listen(engine, "before_cursor_execute", note)
    with engine.begin() as connection:
        bring_up_to_date(connection, url)
    engine.dispose()
    lines = (line.rstrip() for line in ";\n".join([*statements, ""]).splitlines())
    file = Path(__file__).parent / "baseline" / f"{engine.dialect.name}.sql"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    write_baseline(sys.argv[1])
