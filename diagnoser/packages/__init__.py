"""The package of a user's source: what belongs to it, how it is packed, and how a hostile one is read."""
