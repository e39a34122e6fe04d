"""Things measured without training, one file per probe."""
