"""Print: pure functions of a diagnosis."""
