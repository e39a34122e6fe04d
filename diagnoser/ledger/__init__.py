"""Who owes what: jobs and units, one protocol for them, and its SQLite back end. Redis is in `workers.ledger`."""
