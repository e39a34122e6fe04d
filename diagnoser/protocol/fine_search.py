"""Step 5: how good do the best few get when they are trained for longer?"""

import math

from diagnoser.evidence.steps import FineSearch, Steps
from diagnoser.protocol import search
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.candidates import Values, as_point, default_ranges, draw, name, user_configuration
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Trial

BEST = 3
MOST_EPOCHS = 20  # DESIGN 6.5
PROPOSALS = 4  # points of the Gaussian process, in two rounds of two
POOL = 256  # random configurations among which the Gaussian process chooses
FEWEST_POINTS = 4  # before a Gaussian process says anything


def plan(spec: TrainingSpec, so_far: Steps, done: Done, *, allowance: Allowance) -> tuple[Trial, ...]:
    """The best of the coarse search and the user's own for longer; then what a Gaussian process proposes."""
    assumed = known.assumptions(so_far)
    if not done:
        chosen = _best_of_coarse(spec, so_far)
        wanted = min(MOST_EPOCHS * assumed.updates_per_epoch, assumed.total_updates)
        updates = allowance.updates(trials=len(chosen) + PROPOSALS, at_most=wanted, at_least=1)
        return search.trials(chosen, seed=spec.seed, updates=updates, limit=allowance.limit(trials=len(chosen)))
    updates = done[0][0].updates or 0
    proposed = len(done) - len(_best_of_coarse(spec, so_far))
    affordable = allowance.trials(updates=updates, at_most=PROPOSALS // 2)
    if proposed >= PROPOSALS or not affordable:
        return ()
    points = _proposals(spec, so_far, done, count=affordable)
    return search.trials(points, seed=spec.seed, updates=updates, limit=allowance.limit(trials=max(1, len(points))))


def read(spec: TrainingSpec, so_far: Steps, done: Done) -> FineSearch:
    """What was tried, what won, what mattered."""
    best = [name(values) for values in _best_of_coarse(spec, so_far)]
    own = name(user_configuration(spec, lr=known.user_lr(so_far), keys=tuple(spec.search)))
    origin = {name(trial.changes): "gaussian_process" for trial, _ in done}
    origin |= {one: "best" for one in best if one in origin}
    origin |= {one: "user" for one in (own,) if one in origin}
    found = search.read(spec, so_far, done, mode="caviar", proposals=origin)
    return FineSearch.model_validate(found.model_dump())


def _best_of_coarse(spec: TrainingSpec, so_far: Steps) -> tuple[Values, ...]:
    coarse = known.value(so_far.coarse_search)
    own = user_configuration(spec, lr=known.user_lr(so_far), keys=tuple(spec.search))
    if coarse is None:
        return (own,)
    sign = -1.0 if coarse.higher_is_better else 1.0

    def rank(index: int) -> tuple[int, float, float]:
        trial = coarse.trials[index]
        metric, loss = trial.validation_metric, trial.validation_loss
        return (
            -trial.rung,
            sign * metric if metric is not None and math.isfinite(metric) else math.inf,
            loss if loss is not None and math.isfinite(loss) else math.inf,
        )

    ranked = [coarse.trials[i].values for i in sorted(range(len(coarse.trials)), key=rank)]
    unique = {name(values): values for values in ranked}
    chosen = dict(list(unique.items())[:BEST])
    return tuple((chosen | {name(own): own}).values())


def _proposals(spec: TrainingSpec, so_far: Steps, done: Done, *, count: int) -> tuple[Values, ...]:
    """The configurations with the highest expected improvement under a Gaussian process (Jones et al. 1998)."""
    assumed = known.assumptions(so_far)
    ranges = dict(spec.search) or default_ranges(centre=search.lr_of(done[0][0].changes))
    keys = tuple(sorted(done[0][0].changes))
    pairs = [(as_point(t.changes, keys), search.badness(r, assumed)[1]) for t, r in done]
    points = [(x, math.log(max(y, 1e-12))) for x, y in pairs if math.isfinite(y)]
    if len(points) < FEWEST_POINTS:
        return ()
    pool = [{**done[0][0].changes, **v} for v in draw(ranges, count=POOL, seed=spec.seed + len(done))]
    seen = {name(trial.changes) for trial, _ in done}
    gains = _expected_improvement(points, [as_point(values, keys) for values in pool])
    ranked = sorted(range(len(pool)), key=lambda i: -gains[i])
    return tuple(pool[i] for i in ranked if name(pool[i]) not in seen)[:count]


def _expected_improvement(
    points: list[tuple[tuple[float, ...], float]], pool: list[tuple[float, ...]]
) -> tuple[float, ...]:
    """Expected improvement over the lowest value seen, for each point of the pool; inputs scaled to unit spread."""
    import warnings

    import numpy as np
    from scipy.stats import norm
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    x = np.array([point for point, _ in points])
    y = np.array([value for _, value in points])
    centre, scale = x.mean(axis=0), np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    kernel = ConstantKernel(1.0) * Matern(nu=2.5) + WhiteKernel(1e-3)
    model = GaussianProcessRegressor(kernel=kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound hit by a length scale does no harm here
        model.fit((x - centre) / scale, y)
        mean, sd = model.predict((np.array(pool) - centre) / scale, return_std=True)
    gain = y.min() - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gain / sd
        improvement = gain * norm.cdf(z) + sd * norm.pdf(z)
    return tuple(float(v) for v in np.where(sd > 0, improvement, 0.0))
