"""The command ``samehand``."""

from flows.cli.app import app, main

__all__ = ["app", "main"]
