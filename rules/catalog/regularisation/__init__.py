"""Rules about regularisation."""
