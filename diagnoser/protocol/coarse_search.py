"""Step 4: which configurations round the scan's proposal do well?"""

from diagnoser.evidence.steps import CoarseSearch, Steps
from diagnoser.protocol import search
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.candidates import LR, WEIGHT_DECAY, Values, draw, grid, name, user_configuration
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Trial

ETA = 4  # performance.md 4: eta 4 from a quarter costs 0.44 of the steps at 0.11 points of regret
FIRST_RUNG = 1 / 4
MOST_EPOCHS = 5  # DESIGN 6.4
FEWEST_UPDATES = 8
RANDOM_DRAWS = 24
PANDA_SHARE = 1 / 5  # of the step's time for one trial: then one change at a time (DESIGN 6.4)
PANDA_ROUNDS = 4
PANDA_EVALUATIONS = 3


def plan(spec: TrainingSpec, so_far: Steps, done: Done, *, allowance: Allowance) -> tuple[Trial, ...]:
    """First rung: everything for a quarter of the length; second: the best quarter and the user's own, in full."""
    if not done:
        candidates = _candidates(spec, so_far)
        length = _length(so_far, allowance, trials=len(candidates))
        if _is_panda(length, so_far, allowance):
            return _panda(spec, so_far, done, allowance)
        first = max(FEWEST_UPDATES, round(FIRST_RUNG * length))
        fit = allowance.trials(updates=first + length // ETA, at_most=len(candidates))
        chosen = candidates[: max(2, fit)]
        return search.trials(chosen, seed=spec.seed, updates=first, limit=allowance.limit(trials=len(chosen)))
    if _mode(done) == "panda":
        return _panda(spec, so_far, done, allowance)
    first = done[0][0].updates or 0
    if any((trial.updates or 0) != first for trial, _ in done):
        return ()
    assumed = known.assumptions(so_far)
    ranked = sorted(done, key=lambda pair: search.badness(pair[1], assumed))
    kept = [trial.changes for trial, _ in ranked[: max(1, len(ranked) // ETA)]]
    own = user_configuration(spec, lr=known.user_lr(so_far), keys=tuple(spec.search))
    unique: dict[str, Values] = {name(values): values for values in (*kept, own)}
    updates = allowance.updates(trials=len(unique), at_most=round(first / FIRST_RUNG), at_least=first + 1)
    return search.trials(unique.values(), seed=spec.seed, updates=updates, limit=allowance.limit(trials=len(unique)))


def read(spec: TrainingSpec, so_far: Steps, done: Done) -> CoarseSearch:
    """What was tried, what won, what mattered."""
    own = name(user_configuration(spec, lr=known.user_lr(so_far), keys=tuple(spec.search)))
    proposals = {name(trial.changes): "random" if spec.search else "grid" for trial, _ in done} | {own: "user"}
    found = search.read(spec, so_far, done, mode=_mode(done), proposals=proposals)
    return CoarseSearch.model_validate(found.model_dump())


def centre(spec: TrainingSpec, so_far: Steps) -> float:
    """The lr round which to search: the scan's proposal, the user's where there is none."""
    scan = known.value(so_far.lr_scan)
    return scan.proposal if scan is not None and scan.proposal is not None else known.user_lr(so_far)


def _candidates(spec: TrainingSpec, so_far: Steps) -> tuple[Values, ...]:
    lr, decay = known.user_lr(so_far), spec.optimizer.weight_decay
    own = user_configuration(spec, lr=lr, keys=tuple(spec.search))
    lighter: tuple[Values, ...] = ({**own, WEIGHT_DECAY: 0.0}, {**own, WEIGHT_DECAY: decay / 10}) if decay else ()
    if spec.search:
        drawn = draw(dict(spec.search), count=RANDOM_DRAWS, seed=spec.seed)
        others = tuple({LR: centre(spec, so_far), WEIGHT_DECAY: decay, **values} for values in drawn)
    else:
        others = grid(centre=centre(spec, so_far), user_weight_decay=decay)
    return tuple({name(values): values for values in (own, *lighter, *others)}.values())


def _length(so_far: Steps, allowance: Allowance, *, trials: int) -> int:
    """Updates of the second rung: up to five epochs, within the run's own length and the allowance for both rungs."""
    assumed = known.assumptions(so_far)
    wanted = max(FEWEST_UPDATES * ETA, min(MOST_EPOCHS * assumed.updates_per_epoch, assumed.total_updates))
    return allowance.updates(trials=max(2, trials // 2), at_most=wanted, at_least=FEWEST_UPDATES)


def _is_panda(length: int, so_far: Steps, allowance: Allowance) -> bool:
    cost = length * allowance.seconds_per_update
    epoch = known.assumptions(so_far).updates_per_epoch * allowance.seconds_per_update
    return max(cost, epoch) > PANDA_SHARE * allowance.seconds * allowance.processes


def _panda(spec: TrainingSpec, so_far: Steps, done: Done, allowance: Allowance) -> tuple[Trial, ...]:
    """One change at a time from the best so far, as many runs as there are processes."""
    assumed = known.assumptions(so_far)
    own = user_configuration(spec, lr=known.user_lr(so_far), keys=tuple(spec.search))
    if len(done) >= PANDA_ROUNDS * allowance.processes:
        return ()
    seen = {name(trial.changes) for trial, _ in done}
    best = min(done, key=lambda pair: search.badness(pair[1], assumed))[0].changes if done else own
    changed: tuple[Values, ...] = (
        best,
        {**best, LR: centre(spec, so_far)},
        *({**best, LR: search.lr_of(best) * factor} for factor in (1 / 3, 3.0)),
        {**best, WEIGHT_DECAY: 0.0},
        {**best, WEIGHT_DECAY: 1e-3},
    )
    fresh = [values for values in changed if name(values) not in seen][: max(2, allowance.processes)]
    rounds_left = PANDA_ROUNDS - len(done) // max(1, allowance.processes)
    updates = (done[0][0].updates if done else None) or allowance.updates(
        trials=rounds_left * max(2, allowance.processes), at_most=assumed.total_updates, at_least=FEWEST_UPDATES
    )
    if done and not allowance.trials(updates=updates, at_most=1):
        return ()
    limit = allowance.limit(trials=max(1, len(fresh)))
    return search.trials(fresh, seed=spec.seed, updates=updates, limit=limit, evaluations=PANDA_EVALUATIONS)


def _mode(done: Done) -> str:
    """How the search was begun; a panda's runs are evaluated on their way, since each is chosen by the one before."""
    return "panda" if done[0][0].evaluations == PANDA_EVALUATIONS else "caviar"
