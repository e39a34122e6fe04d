"""The steps: what to try next, and what the results say. No torch, no judgement."""
