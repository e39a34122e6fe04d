"""Where does chance come from: every random state is seeded on purpose, and the caller's is given back."""

import functools
import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every device)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  # user code draws from the global generator
    for seed_devices in _seeders():
        seed_devices(seed)


@functools.cache
def _seeders() -> tuple[Callable[[int], object], ...]:
    """Return what seeds torch here.

    `torch.manual_seed` notes the whole call stack for every kind of device that it does not find, which costs as much
    as a small batch; the generators that are there get the same seed without it.
    """
    if not torch.accelerator.is_available():
        return (torch.default_generator.manual_seed,)
    if torch.cuda.is_available():
        return torch.default_generator.manual_seed, torch.cuda.manual_seed_all
    return (torch.manual_seed,)


def derived(seed: int, *parts: object) -> int:
    """Make a seed from a seed and words: the same on every machine, unlike hash()."""
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def _states() -> tuple[Any, Any, Any, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda  # noqa: NPY002


def _set_states(states: tuple[Any, Any, Any, Any]) -> None:
    python, numpy, cpu, cuda = states
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state_all(cuda)


@contextmanager
def forked(seed: int) -> Iterator[None]:
    """Draw from `seed` inside; go on outside as if nothing had been drawn."""
    states = _states()
    seed_everything(seed)
    try:
        yield
    finally:
        _set_states(states)


@contextmanager
def restored() -> Iterator[None]:
    """Give the caller's process back as it was.

    Covers: random states (Python, NumPy, torch, CUDA), default dtype and device, number of threads, gradient mode,
    deterministic and cuDNN flags. Does not cover: environment variables, signal handlers, the current folder, what the
    user's modules keep in their own globals.
    """
    states = _states()
    dtype, device, threads = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    gradients = torch.is_grad_enabled()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)
    try:
        yield
    finally:
        _set_states(states)
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:  # setting it installs a mode that slows every call
            torch.set_default_device(device)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_grad_enabled(gradients)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = cudnn
