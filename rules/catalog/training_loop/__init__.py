"""Rules about training loop."""
