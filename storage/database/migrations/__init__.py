"""The changes of the database's schema since the first release, a module for each revision."""
