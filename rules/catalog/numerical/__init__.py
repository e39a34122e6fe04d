"""Rules about numerical."""
