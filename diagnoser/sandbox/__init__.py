"""The supervisor of the child in which user code runs."""
