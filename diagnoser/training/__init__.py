"""The only place that loads torch and the user's code."""
