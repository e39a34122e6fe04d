"""Rules about epochs."""
