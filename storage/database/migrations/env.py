"""What Alembic runs to upgrade: the revisions that are missing, on the connection it is given."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
