"""Rules about activation."""
