"""Which environment variables does a child get? The user's, and what makes it fast and repeatable."""

import os
from collections.abc import Mapping
from pathlib import Path

ALLOCATOR = {  # or glibc gives large blocks back and faults them in again, every step: 2.05x (research/performance.md)
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "67108864",
}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SAME_EVERY_TIME = {  # unless the user has set them
    "PYTHONHASHSEED": "0",  # or a set of labels would have another order in every child
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS repeats its sums only with it, and reads it once
}


def environment_for_child(given: Mapping[str, str], *, threads: int, cuda_device: str | None = None) -> dict[str, str]:
    """Give the user's environment, and what makes a child fast and repeatable."""
    paths = given.get("PYTHONPATH", "")
    absolute = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep) if path)
    return {
        **ALLOCATOR,
        **SAME_EVERY_TIME,
        **given,
        **dict.fromkeys(THREADS, str(threads)),
        **({"PYTHONPATH": absolute} if paths else {}),  # the child's current folder is the spec's, not ours
        **({"CUDA_VISIBLE_DEVICES": cuda_device} if cuda_device is not None else {}),
    }
