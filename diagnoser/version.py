"""Which version of the measuring engine is this? Part of every result's hash, and of `evidence.json`."""

ENGINE_VERSION = "0.1.0"
"""Changed whenever the same trial may give other numbers: results kept under another version are measured again."""
