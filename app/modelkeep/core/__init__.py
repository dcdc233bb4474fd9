"""The engine. It knows nothing of Qt, never prints and never prompts."""
