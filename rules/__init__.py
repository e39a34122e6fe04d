"""Judge: pure functions of evidence."""
