"""What holds for every test: one thread each, and no clock that decides."""

import os

from hypothesis import settings

# The tests run side by side, and children inherit this: torch with a thread per core in each would only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("ours", deadline=None, derandomize=True)
settings.load_profile("ours")
