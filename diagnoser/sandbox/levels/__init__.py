"""How strongly is user code kept apart? Levels, what a child may see at them, and the probe that tries to get out."""
