"""What can change a result? Each piece of work gets a key made of that, and of nothing that it cannot use.

Covers: the engine, Python, torch and the packages that the user's code imported, device and precision, what the user's
imported files say, the data as read, the work itself, and the fields of the spec, its own changes applied, that this
work uses. How many trials were trained together is no part of it: another plan gives the same verdict (DESIGN 3).
Does not cover: files that the user's code opens while it trains without importing them (weights, lists of stop words),
packages that it imports only then, code that reads its own text or line numbers (see `evidence/code.py`), environment
variables, the network, the clock.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

from diagnoser.errors import SpecError
from diagnoser.evidence.evidence import Environment
from diagnoser.messages import Work
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.patching import apply_changes
from diagnoser.trials import Probe, ProbeKind, Transform, Trial
from diagnoser.version import ENGINE_VERSION

FORMAT = "2"  # a number more when what is left out below changes
NOT_MEASURED_WITH = frozenset({"name", "search", "protocol", "budget", "rules", "gate", "environment"})
USED_BY_SOME = frozenset(
    {
        *("optimizer", "scheduler", "epochs", "steps", "early_stopping", "gradient_clip_norm"),
        *("accumulate_batches", "ema", "loop", "evaluate", "device"),
    }
)
"""Fields that some work uses and other work does not; all others are in every key."""

USED_BY_PROBE: Mapping[ProbeKind, frozenset[str]] = {
    ProbeKind.ASSUMPTIONS: frozenset({"optimizer", "epochs", "steps", "accumulate_batches", "device"}),
    ProbeKind.DATA: frozenset(),
    ProbeKind.BASELINES: frozenset(),
    ProbeKind.MODEL: frozenset({"optimizer"}),
    ProbeKind.LOSS: frozenset(),
    ProbeKind.GRADIENT: frozenset(),
    ProbeKind.OPTIMIZER: frozenset({"optimizer", "scheduler", "epochs", "steps", "accumulate_batches"}),
    ProbeKind.LOOP: USED_BY_SOME - {"early_stopping", "gradient_clip_norm", "ema", "device"},
    ProbeKind.SYSTEM: frozenset({"optimizer", "accumulate_batches"}),
    ProbeKind.REPEATABILITY: frozenset({"optimizer", "gradient_clip_norm", "accumulate_batches"}),
}
ASK_FOR_THE_LOSS = frozenset({"lbfgs"})  # by name: how often they do, and so what a step costs, depends on the lr
WIN_OVER_THE_LOADER = ("data.batch_size", "data.shuffle")  # said by a trial, even if the spec says the same


class Keys:
    """Hashes of work, for one spec in one environment."""

    def __init__(self, *, spec: TrainingSpec, environment: Environment) -> None:
        self._spec = spec
        self._machine = (environment.platform, str(environment.cpu_count))
        self._common = hashlib.sha256()
        for part in (
            FORMAT,
            engine_hash(),
            ".".join(environment.python.split(".")[:2]),
            environment.torch,
            "\n".join(f"{name}=={version}" for name, version in sorted(environment.packages.items())),
            environment.device,
            environment.source.code_hash or environment.source.hash,
            environment.data_fingerprint,
        ):
            _add(self._common, part)

    def of(self, work: Work) -> str | None:
        """Give the key; None when the work cannot be kept (its changes make no spec, and the child will say so)."""
        try:
            used = used_by_trial(self._spec, work) if isinstance(work, Trial) else used_by_probe(self._spec, work)
        except SpecError:
            return None
        digest = self._common.copy()
        for part in (type(work).__name__, used, work.model_dump_json(exclude={"changes", "max_seconds"})):
            _add(digest, part)
        if isinstance(work, Probe) and work.probe is ProbeKind.SYSTEM:
            for part in self._machine:  # what a step costs is true of one machine
                _add(digest, part)
        return digest.hexdigest()


def used_by_trial(spec: TrainingSpec, trial: Trial) -> str:
    """Write down what a trial uses of the spec. Raises SpecError when its changes make no spec."""
    spec = apply_changes(spec, trial.changes)
    unused = {*NOT_MEASURED_WITH, "device"}  # of the devices it is the one found that counts
    if not trial.scheduled:
        unused |= {"scheduler", "early_stopping", "ema"}
    if trial.updates is not None and (not trial.scheduled or spec.scheduler is None):
        unused |= {"epochs", "steps"}  # a schedule alone is drawn over the user's whole run
    if trial.loop == "ours" or Transform.OUR_LOOP in trial.transforms:
        unused |= {"loop", "evaluate"}
    if trial.updates == 0 and trial.evaluations == 0:  # an evaluation notes the optimizer's lr
        unused |= {"gradient_clip_norm", "accumulate_batches"}
        if spec.optimizer.factory is None:  # a factory of the user's is given the model, and could change it
            unused.add("optimizer")
    if trial.penalty is not None or not trial.regularised:
        spec = spec.model_copy(update={"optimizer": spec.optimizer.decaying(0.0)})  # the trial sets its own
    said = [key for key in WIN_OVER_THE_LOADER if key in trial.changes]
    return f"{spec.model_dump_json(exclude=unused)} {said}"


def used_by_probe(spec: TrainingSpec, probe: Probe) -> str:
    """Write down what a probe uses of the spec."""
    unused = {*NOT_MEASURED_WITH, *(USED_BY_SOME - USED_BY_PROBE[probe.probe])}
    optimizer = spec.optimizer
    by_name = optimizer.factory is None and optimizer.name.lower() not in ASK_FOR_THE_LOSS
    if probe.probe is ProbeKind.SYSTEM and by_name:
        # The lengths of later trials follow from what a step costs: timed again, they would be other trials.
        without_lr = optimizer.model_dump_json(exclude={"lr"})
        return f"{spec.model_dump_json(exclude={*unused, 'optimizer'})} {without_lr}"
    return spec.model_dump_json(exclude=unused)


def _add(digest: "hashlib._Hash", part: str) -> None:
    content = part.encode()
    digest.update(f"{len(content)}:".encode() + content)


@functools.cache
def engine_hash() -> str:
    """Name the measuring engine: its version and its sources, which change more often while it is being built."""
    digest = hashlib.sha256(ENGINE_VERSION.encode())
    root = Path(__file__).resolve().parents[1]
    places = ("training/**/*.py", "spec/*.py", "evidence/*.py", "trials.py", "records.py")
    for file in sorted(file for place in places for file in root.glob(place)):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
