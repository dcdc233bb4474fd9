"""The set-up wizard: from an empty folder to storage that works, one question per page."""
