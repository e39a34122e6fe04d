"""The rules, one folder per category."""
