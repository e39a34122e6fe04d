"""What did a step cost? Told so that a busy machine does not decide whether stacking pays."""

import time

import torch


def seconds(device: torch.device) -> float:
    """Read the clock: of this thread's own work where it does all of it, else of the wall, after the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif torch.get_num_threads() == 1:
        return time.thread_time()
    return time.perf_counter()
