"""Are there layers whose ReLU never lets anything through?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules import user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="ReLU units are dead",
    why="A unit that is 0 for every row has no gradient: it never comes back, and a dead layer stops all before it.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-1/#actfun",),
)
MOST = 0.9  # of a layer's units; healthy nets have up to 0.55 at the start and 0.47 after training
WHOLE = 0.999
CUT_OFF = (
    "activation-unfit",
    "gradients-vanish",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "unused-parameters",
    "loss-plateaus",
    "nothing-learned",
    "underfitting",
)
LATER = ("gradients-vanish", "loss-plateaus", "nothing-learned", "underfitting")  # what a death in training can cause
LEAKY = Fix(title="Use LeakyReLU", transforms=(Transform.LEAKY_RELU,))
FRESH = Fix(title="Initialise for ReLU (Kaiming), biases at 0", transforms=(Transform.REINITIALISE,))


def check(spec: TrainingSpec, model: ModelProfile, curves: Curves | None) -> Iterator[Finding | Passed]:
    born = {layer.path: layer.dead_share for layer in model.layers if layer.hidden and layer.dead_share is not None}
    if not born:
        raise NotApplicable("no hidden layer ends in a ReLU")
    worst = max(born, key=lambda path: born[path])
    late = _at_the_end(curves, known=set(born)) if curves is not None else {}
    expected = f"less than {MOST:.0%} of every layer"
    if born[worst] >= MOST:
        yield _finding(
            born,
            when="before any training",
            pointer="/steps/preflight/model/value/layers",
            fixes=(FRESH, LEAKY),
            explains=CUT_OFF,
        )
        return
    if late and max(late.values()) >= MOST:
        lower = Fix(title="A third of the learning rate", patch={"optimizer.lr": spec.optimizer.lr / 3})
        yield _finding(
            late, when="after training", pointer="/steps/curves/value/runs", fixes=(lower, LEAKY), explains=LATER
        )
        return
    observed = f"at most {born[worst]:.0%} of a layer at the start"
    yield Passed(observed=observed + (f", {max(late.values()):.0%} at the end" if late else ""), expected=expected)


def _finding(
    dead: dict[str, float], *, when: str, pointer: str, fixes: tuple[Fix, ...], explains: tuple[str, ...]
) -> Finding:
    worst = max(dead, key=lambda path: dead[path])
    whole = dead[worst] >= WHOLE
    others = [path for path, share in dead.items() if share >= MOST and path != worst]
    also = f" The same holds for {', '.join(others)}." if others else ""
    return Finding(
        title=f"{dead[worst]:.0%} of `{worst}` is dead {when}",
        message=f"Behind `{worst}`, {dead[worst]:.0%} of the units are 0 on every row {when}: "
        + ("nothing passes, and no gradient reaches what lies before." if whole else "they have no gradient.")
        + also,
        severity=Severity.ERROR if whole else Severity.WARNING,
        confidence=Confidence.HIGH if whole else Confidence.MEDIUM,  # zero for ever, by definition
        observed=f"{dead[worst]:.0%} dead",
        expected=f"less than {MOST:.0%}",
        evidence=(pointer,),
        fixes=fixes,
        explains=explains if whole else (),
        key="model",
        subject=worst,
    )


def _at_the_end(curves: Curves, *, known: set[str]) -> dict[str, float]:
    """Dead share of each layer at the last check, as two of three runs in our loop have at least."""
    runs = [run for run in curves.runs if run.loop == "ours"]
    shares: dict[str, list[float]] = {}
    for run in runs:
        for trace in run.layers:
            if trace.layer in known and trace.dead_share:
                shares.setdefault(trace.layer, []).append(trace.dead_share[-1])
    kept = {}
    for layer, values in shares.items():
        seen = sorted(values, reverse=True)
        needed = max(user_runs.ENOUGH_SEEDS, len(runs) // 2 + 1)
        if len(seen) >= needed:
            kept[layer] = seen[needed - 1]
    return kept
