"""Rules about batch size."""
