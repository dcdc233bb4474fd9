"""The engine: objects, cache, transfer, history, catalogue, workspace and locks. Knows no screen and no user."""
