"""What is said of a batch that we could not read: what it really is, and a `step` ready to be pasted."""

from collections.abc import Mapping

from diagnoser.training.batches import Batch, described

TARGET_KEYS = ("labels", "label", "target", "targets", "y")


def real(batch: Batch) -> str:
    return f"The first batch is: {described(batch)}"


def advice(batch: Batch) -> str:
    """Show the real structure and a `step` that takes it apart, ready to be pasted."""
    if isinstance(batch, Mapping):
        keys = list(batch)
        target = next((key for key in TARGET_KEYS if key in batch), keys[-1] if keys else "target")
        given = ", ".join(f"batch[{key!r}]" for key in keys if key != target) or "batch"
        lines = [
            f"    output = model({given})",
            f"    return torch.nn.functional.cross_entropy(output, batch[{target!r}])",
        ]
    elif isinstance(batch, list | tuple) and len(batch) > 1:
        names = [f"part{i}" for i in range(len(batch) - 1)]
        lines = [
            f"    {', '.join(names)}, target = batch",
            f"    output = model({', '.join(names)})",
            "    return torch.nn.functional.cross_entropy(output, target)",
        ]
    else:
        lines = ["    output = model(batch)", "    return output.square().mean()  # your loss"]
    code = "\n".join(["def training_step(model, batch):", *lines])
    return f"{real(batch)}\nSay how it is used with `step: yourmodule:training_step` in the spec:\n\n{code}\n"
