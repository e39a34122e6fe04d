"""Do Dropout and BatchNorm stay in eval mode while the model is trained?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules import own_loop
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The model is trained in eval mode",
    why="Dropout then does nothing, and BatchNorm normalises by statistics that never follow the weights.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train",),
)
EFFECTS = ("batch-norm-statistics-stale", "overfitting")
IN_LOOP = Fix(
    title="Switch to train mode at the start of each epoch",
    advice="begin the loop with `model.train()`: an evaluation before it leaves the model in eval mode",
)
IN_FACTORY = Fix(
    title="Return the model in train mode",
    advice="drop `.eval()` from the model factory, or call `model.train()` before training",
)
DEPENDENT = ("Dropout", "BatchNorm")


def check(model: ModelProfile, loop: LoopAudit | None) -> Iterator[Finding | Passed]:
    in_loop = loop.modules_in_eval_while_training if loop is not None and loop.has_loop else ()
    born = model.eval_mode_from_factory
    expected = "Dropout and BatchNorm in train mode while training"
    types = {layer.path: layer.type for layer in model.layers}
    if not in_loop and not born:
        if not any(any(name in layer.type for name in DEPENDENT) for layer in model.layers):
            raise NotApplicable("the model has no Dropout and no BatchNorm")
        yield Passed(observed="all of them in train mode", expected=expected)
        return
    if in_loop and loop is not None:
        yield _finding(
            in_loop,
            types,
            whole=not all(loop.forward_modes) or not all(loop.second_epoch_modes),
            when="in the batches of your loop" if not all(loop.forward_modes) else "after an evaluation",
            pointer="/steps/preflight/loop/value/modules_in_eval_while_training",
            fixes=(own_loop.REFERENCE, IN_LOOP),
            key="loop",
        )
        return
    healed = loop is not None and loop.has_loop and bool(loop.forward_modes)  # the loop turned them to train mode
    if healed:
        yield Passed(observed="in eval mode from the factory, and put to train mode by your loop", expected=expected)
        return
    yield _finding(
        born,
        types,
        whole=all(not layer.training_mode for layer in model.layers),
        when="from the factory on",
        pointer="/steps/preflight/model/value/eval_mode_from_factory",
        fixes=(IN_FACTORY,),
        key="model",
    )


def _finding(
    modules: tuple[str, ...],
    types: dict[str, str],
    *,
    whole: bool,
    when: str,
    pointer: str,
    fixes: tuple[Fix, ...],
    key: str,
) -> Finding:
    """BatchNorm alone, with the rest of the model in train mode, may be frozen on purpose: a line, no more."""
    only_norms = all("BatchNorm" in types.get(path, "") for path in modules)
    on_purpose = only_norms and not whole
    names = f"`{modules[0]}`{f' and {len(modules) - 1} more' if len(modules) > 1 else ''}"
    return Finding(
        title="BatchNorm layers are kept in eval mode" if on_purpose else f"The model is in eval mode {when}",
        message=f"{names} {'is' if len(modules) == 1 else 'are'} in eval mode {when}."
        + (" The rest of the model is in train mode, so this may be meant." if on_purpose else ""),
        severity=Severity.INFO if on_purpose else Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        observed=f"{len(modules)} modules in eval mode",
        expected="Dropout and BatchNorm in train mode while training",
        evidence=(pointer,),
        fixes=fixes[-1:] if on_purpose else fixes,
        explains=() if on_purpose or key == "loop" else EFFECTS,
        key=key,
        by_definition=True,
    )
