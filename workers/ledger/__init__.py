"""The ledger of the service: Redis, and what it does atomically in Lua."""
