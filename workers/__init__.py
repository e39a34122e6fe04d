"""The service: the same work for many users, on many machines, through a queue."""
