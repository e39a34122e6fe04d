"""What was measured: one frozen record per step, the version and its history."""
