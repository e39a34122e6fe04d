"""What would simpler ways have said of a program? Two of them, with our own executor and without any rule.

    python -m benchmarks.fault_scores.simple SPEC EVIDENCE OUT [--repair-seconds S]

* *Two checks* that every tutorial names, as a detector: the loss of an untrained model is off the theory's by more than
  a quarter, or 16 training samples are not memorised at the user's learning rate within 300 updates.
* *Random search* as a repair (`--repair-seconds`): learning rate and weight decay are drawn at random and trained in
  full for so many seconds; the best by the validation metric is then compared with the user's own run over paired
  seeds, exactly as a fix of ours is. That comparison is a gift: it is not taken from the search's time.

EVIDENCE is the `evidence.json` of the case: what the workload is, its untrained losses, and its standard error.
"""

import argparse
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

from diagnoser import local
from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.reading import read_evidence
from diagnoser.evidence.steps import Steps
from diagnoser.findings import Confidence, Finding, Fix, Severity
from diagnoser.protocol import so_far as known
from diagnoser.protocol import treatment
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.curves import user_trial
from diagnoser.protocol.so_far import Done
from diagnoser.records import Record
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import Task, TrainingSpec
from diagnoser.spec.reading import read_spec
from diagnoser.trials import Outcome, Rows, Trial, TrialResult
from rules import confirmation

OFF = 0.25  # of the theory's loss: twice what seeds of a tiny network are off by
SAMPLES = 16
UPDATES = 300
CHECK_SECONDS = 120.0  # at most
PER_CLASSLESS = 10  # `Rows.per_class` where there are no classes: n x 10 rows
RATES = (-2.0, 2.0)  # powers of ten times the user's learning rate
DECAYS = (-6.0, -1.0)  # powers of ten
AT_ONCE = 8  # so that trials can be stacked, as those of our own search are
LOOKS = 2  # over three and, where it promises, over six pairs of seeds
ARMS_SECONDS = 600.0  # for the comparison of the best with the user's run


class Repair(Record):
    """What random search brought."""

    tried: int
    changes: dict[str, float]
    state: str  # as of a fix: verified, refuted, inconclusive
    metric: str
    after: float | None  # mean over seeds; None: a run failed


class Simple(Record):
    """What both ways said; None: it could not be asked."""

    initial_loss_ratio: float | None  # to the theory's
    memorised: bool | None
    repair: Repair | None = None

    @property
    def alarms(self) -> bool:
        """Whether one of the two checks fails."""
        ratio = self.initial_loss_ratio
        is_off = ratio is not None and not abs(ratio - 1) <= OFF  # NaN is off as well
        return is_off or self.memorised is False


def initial_loss_ratio(steps: Steps) -> float | None:
    """Observed over expected, the middle of the re-initialisations; None without a theory."""
    found = known.value(steps.initial_loss)
    if found is None or not found.observed or found.chance is None or found.chance <= 0:
        return None
    if not all(map(math.isfinite, found.observed)):
        return math.nan
    return median(found.observed) / found.chance


def small_trial(spec: TrainingSpec, steps: Steps) -> Trial:
    """The 16 samples: as many of each class, at least one, or two tens where there are no classes."""
    assumed = known.assumptions(steps)
    has_classes = assumed.task in {Task.CLASSIFICATION, Task.BINARY}
    groups = max(2, assumed.classes or 2) if has_classes else PER_CLASSLESS
    return Trial(
        seed=spec.seed,
        changes={"optimizer.lr": known.user_lr(steps)},
        rows=Rows(per_class=max(1, math.ceil(SAMPLES / groups))),
        updates=UPDATES,
        evaluations=0,
        stop_when_memorised=True,
        max_seconds=CHECK_SECONDS,
    )


def memorised(result: TrialResult) -> bool | None:
    """Whether the samples were learnt by heart; None when time or our own limits ended it."""
    if result.stopped_by == "time" or result.outcome not in {Outcome.COMPLETED, Outcome.DIVERGED}:
        return None
    return result.stopped_by == "memorised"


def draw(spec: TrainingSpec, steps: Steps, dice: random.Random) -> Trial:
    """One whole run of the user's, with another learning rate and weight decay."""
    lr = known.user_lr(steps) * 10 ** dice.uniform(*RATES)
    changes = {"optimizer.lr": lr, "optimizer.weight_decay": 10 ** dice.uniform(*DECAYS)}
    plain = user_trial(spec, steps, seed=spec.seed, updates=None)
    return plain.model_copy(update={"changes": changes, "evaluations": 1, "only_validated": True, "instruments": False})


def best(done: Done, *, higher_is_better: bool) -> Trial | None:
    """The trial with the best validation metric at its end; None when none came to its end."""
    ends = [
        (metric, trial)
        for trial, result in done
        if result.outcome is Outcome.COMPLETED and result.stopped_by != "time" and result.evaluations
        if (metric := result.evaluations[-1].validation_metric) is not None and math.isfinite(metric)
    ]
    pick = max if higher_is_better else min
    return pick(ends, key=lambda end: end[0])[1] if ends else None


def search(spec: TrainingSpec, steps: Steps, executor: LocalExecutor, *, seconds: float) -> Done:
    """Draw and train until the time is over."""
    dice, deadline = random.Random(spec.seed), time.monotonic() + seconds
    done: Done = ()
    while time.monotonic() < deadline:
        left = deadline - time.monotonic()
        trials = [draw(spec, steps, dice).model_copy(update={"max_seconds": left}) for _ in range(AT_ONCE)]
        done += _run(executor, trials, seconds=left)
    return done


def repair(spec: TrainingSpec, steps: Steps, executor: LocalExecutor, *, seconds: float) -> Repair:
    """Search, then hold the best against the user's run as a fix of ours is held."""
    assumed = known.assumptions(steps)
    done = search(spec, steps, executor, seconds=seconds)
    found = best(done, higher_is_better=assumed.higher_is_better)
    if found is None:
        return Repair(tried=len(done), changes={}, state="inconclusive", metric=assumed.metric, after=None)
    changes = {key: float(str(value)) for key, value in found.changes.items()}
    draft = (proposal(Fix(title="what random search found", patch=dict(changes))),)
    arms: Done = ()
    allowance = Allowance(seconds=ARMS_SECONDS, processes=executor.processes)
    for _ in range(LOOKS):
        planned = treatment.plan(spec, steps, draft, arms, allowance=allowance)
        arms += _run(executor, planned, seconds=ARMS_SECONDS)
    treated = treatment.read(spec, steps, draft, arms).treatments
    if not treated:
        return Repair(tried=len(done), changes=changes, state="inconclusive", metric=assumed.metric, after=None)
    ends = [math.nan if value is None else value for value in treated[0].after]
    mean = fmean(ends) if all(map(math.isfinite, ends)) else None
    state = confirmation.compare(treated[0]).state.value
    return Repair(tried=len(done), changes=changes, state=state, metric=assumed.metric, after=mean)


def proposal(fix: Fix) -> Finding:
    """A finding that proposes this fix: treatments are planned for findings."""
    return Finding(
        id="random-search",
        rule="random-search",
        category="learning-rate",
        severity=Severity.WARNING,
        confidence=Confidence.LOW,
        title=fix.title,
        why="",
        message="",
        observed="",
        expected="",
        evidence=(),
        fixes=(fix,),
        fingerprint="",
        docs="",
    )


def ask(spec_file: Path, evidence: Evidence, *, repair_seconds: float | None) -> Simple:
    """Ask both ways about one program."""
    spec, source = read_spec(spec_file)
    steps = evidence.steps
    with LocalExecutor(spec, folder=Path(source.folder), cache=None, load_seconds=local.load_seconds(spec)) as executor:
        executor.open()
        (_, small), *_ = _run(executor, [small_trial(spec, steps)], seconds=2 * CHECK_SECONDS)
        return Simple(
            initial_loss_ratio=initial_loss_ratio(steps),
            memorised=memorised(small),
            repair=None if repair_seconds is None else repair(spec, steps, executor, seconds=repair_seconds),
        )


def _run(executor: LocalExecutor, trials: Sequence[Trial], *, seconds: float) -> Done:
    answers = executor.run(trials, deadline=time.monotonic() + seconds, on_result=lambda _index, _result: None)
    pairs = zip(trials, answers, strict=True)
    return tuple((trial, answer) for trial, answer in pairs if isinstance(answer, TrialResult))


def main() -> int:
    """Ask, and write the answer down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", type=Path)
    parser.add_argument("evidence", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--repair-seconds", type=float)
    asked = parser.parse_args()
    evidence = read_evidence(asked.evidence.read_text(encoding="utf-8"))
    found = ask(asked.spec, evidence, repair_seconds=asked.repair_seconds)
    asked.out.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
