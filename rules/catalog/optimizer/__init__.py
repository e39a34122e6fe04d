"""Rules about optimizer."""
