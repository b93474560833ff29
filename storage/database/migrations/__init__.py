"""The changes of the database's schema, one module a revision, run by Alembic."""
