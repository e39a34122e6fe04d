"""Where did the first NaN or infinity come from? The run is repeated up to the bad update and looked at closely."""

from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training.batches import tensors
from diagnoser.training.failures import USER_STOPS
from diagnoser.training.preparation import Prepared
from diagnoser.training.workload import Workload

LONGEST_REPEAT = 300  # updates; a run that breaks later costs more to repeat than the name of a layer is worth


def find(workload: Workload, prepared: Prepared, *, updates: int) -> str:
    """Name the first thing that was not finite: "inputs", "targets", "output of layer X", "gradient of X", "loss"."""
    if updates <= LONGEST_REPEAT:
        try:
            return _repeated(prepared, updates=updates)
        except USER_STOPS:
            return "loss"
    return _first_bad_weight(prepared.model) or "loss"


def first_bad_module(workload: Workload, model: nn.Module, batch: Any) -> str | None:
    """Run one batch and name the first non-finite thing on the way to its loss; None when all is finite."""
    layout = workload.layout
    if layout is not None:
        if not all(_finite(tensor) for tensor in tensors(layout.inputs(batch))):
            return "inputs"
        target = layout.target(batch)
        if target is not None and not _finite(target):
            return "targets"
    names = {module: name for name, module in model.named_modules()}
    seen: list[str] = []

    def hook(module: nn.Module, _: Any, output: Any) -> None:
        if not seen and not all(_finite(tensor) for tensor in tensors(output)):
            seen.append(names[module] or "the model")

    handles = [module.register_forward_hook(hook) for module in names]
    try:
        with torch.no_grad():
            loss = workload.loss(model, batch)
    finally:
        for handle in handles:
            handle.remove()
    if seen:
        return f"output of layer {seen[0]}"
    return None if _finite(loss) else "loss"


def _repeated(prepared: Prepared, *, updates: int) -> str:
    """Train again from the same seed, checking each update before it is made."""
    from diagnoser.training.preparation import prepare

    again = prepare(prepared.given, prepared.trial)
    workload, model, optimizer = again.workload, again.model, again.optimizer
    done = 0
    for epoch in range(updates + 1):
        for given in again.train.batches(seed=again.trial.seed, epoch=epoch):
            batch = workload.to_device(given)
            state = torch.get_rng_state()
            with again.autocast():
                loss = workload.loss(model, batch)
            if not _finite(loss):
                torch.set_rng_state(state)
                return first_bad_module(workload, model, batch) or "loss"
            torch.autograd.backward(loss)
            for name, parameter in model.named_parameters():
                if parameter.grad is not None and not _finite(parameter.grad):
                    return f"gradient of {name}"
            if again.spec.gradient_clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), again.spec.gradient_clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            if again.schedule is not None:
                again.schedule.after_update()
            bad = _first_bad_weight(model)
            if bad is not None:
                return bad
            done += 1
            if done > updates + 1:
                return "loss"
        if again.schedule is not None:
            again.schedule.after_epoch()
    return "loss"


def _first_bad_weight(model: nn.Module) -> str | None:
    return next((f"weight {name}" for name, p in model.named_parameters() if not _finite(p)), None)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor.detach()).all())
