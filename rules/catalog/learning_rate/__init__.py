"""Rules about learning rate."""
