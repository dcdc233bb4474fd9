"""The parts of the window. Panels never know each other; they meet at the session."""
