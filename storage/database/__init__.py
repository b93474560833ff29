"""The results database: what runs, models and evaluations did, in SQLite or PostgreSQL."""
