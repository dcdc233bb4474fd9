"""Modelkeep: versions of datasets and models kept in Git and DVC-format storage."""

__version__ = "0.1.0"
