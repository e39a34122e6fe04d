"""Rules about reproducibility."""
