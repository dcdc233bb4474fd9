"""The window. Talks to the engine through workflows, values and errors only; the command line never comes here."""
