"""The command line: one file per family of commands, nothing heavy imported before it is needed."""
