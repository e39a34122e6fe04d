"""Trials that differ only in numbers, trained at the same time as one batched model."""
