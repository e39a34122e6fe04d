"""How much memory is there, and how much was taken?"""

import contextlib
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from diagnoser.host import available_memory


def available_bytes(device: torch.device) -> int | None:
    """Return what is free now: on the GPU, or on the host within its container's limit; None where nobody tells."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available_memory()


def reset_peak() -> None:
    """Count this process's peak from now on (Linux, where it may; elsewhere the peak goes on from its start)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # man 5 proc: resets VmHWM to what is held now


def peak_mb() -> float | None:
    """Return the most that this process has held; None where nobody tells.

    Of the whole process, its start included: Python, torch and the data lie in it, and what the allocator keeps.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return None if kilobytes is None else int(kilobytes) / 1024


class Kept(saved_tensors_hooks):
    """Counts, within `with`, the bytes that autograd keeps for the backward pass: each weight and activation once."""

    def __init__(self) -> None:
        self._held: dict[int, int] = {}  # address -> bytes
        super().__init__(self._note, lambda tensor: tensor)

    @property
    def bytes(self) -> int:
        """What was kept so far."""
        return sum(self._held.values())

    def _note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        self._held[storage.data_ptr()] = storage.nbytes()
        return tensor
