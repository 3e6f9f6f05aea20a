"""Runs and their results: rows in one database, big things as files beside it."""

from covaudit.store.database import Store

__all__ = ["Store"]
