"""Step 1: does an untrained model know nothing?"""

from diagnoser.evidence.steps import InitialLoss, Steps
from diagnoser.protocol import so_far as known
from diagnoser.protocol import theory
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.smoothing import middle
from diagnoser.protocol.so_far import Done
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform, Trial

INITIALISATIONS = 5  # one seed of a tiny net is off by up to 28 % (CATALOGUE, initial-loss-off-chance)
CONTROLS = 3  # of them again on standardised inputs: is it the scale of the inputs?
STRONG_PENALTY = 1.0  # visible in float32 after one update, whatever the weights


def plan(spec: TrainingSpec, so_far: Steps, done: Done, *, allowance: Allowance) -> tuple[Trial, ...]:
    """Five fresh models, three of them on standardised inputs too; one update with and without a strong penalty."""
    if done:
        return ()
    limit = allowance.limit(trials=INITIALISATIONS + CONTROLS + 2)
    fresh = tuple(
        Trial(seed=spec.seed + n, updates=0, regularised=False, evaluations=0, max_seconds=limit)
        for n in range(INITIALISATIONS)
    )
    scaled = (Transform.STANDARDISE_INPUTS,)
    controls = tuple(trial.model_copy(update={"transforms": scaled}) for trial in fresh[:CONTROLS])
    penalised = tuple(
        Trial(seed=spec.seed, updates=1, regularised=False, evaluations=0, penalty=penalty, max_seconds=limit)
        for penalty in (0.0, STRONG_PENALTY)
    )
    return fresh + controls + penalised


def read(spec: TrainingSpec, so_far: Steps, done: Done) -> InitialLoss:
    """The observed losses beside the theory's."""
    fresh = [result for trial, result in done if trial.penalty is None and not trial.transforms]
    controls = [result for trial, result in done if trial.transforms]
    plain, penalised = ([result for trial, result in done if trial.penalty == p] for p in (0.0, STRONG_PENALTY))
    guess = theory.chance(spec, known.assumptions(so_far), known.data(so_far))
    spread = middle([result.initial_outputs_std for result in fresh])
    value, because = guess.value, guess.because
    if value is not None and known.assumptions(so_far).loss_family == "mse" and spread is not None:
        value, because = value + spread**2, because + f", plus the spread of the untrained outputs ({spread:.3g}²)"
    pair = (plain[0], penalised[0]) if plain and penalised else None
    return InitialLoss(
        observed=tuple(r.initial_loss for r in fresh if r.initial_loss is not None),
        outputs_std=tuple(r.initial_outputs_std for r in fresh if r.initial_outputs_std is not None),
        chance=value,
        chance_because=because,
        prior_chance=guess.prior,
        batch_size=spec.data.batch_size,
        penalty_asked=spec.optimizer.weight_decay > 0,
        penalty_in_loss=_difference(pair[1].initial_loss, pair[0].initial_loss) if pair else None,
        penalty_in_weights=_difference(pair[0].weight_norm_end, pair[1].weight_norm_end) if pair else None,
        outcomes=tuple(r.outcome for r in fresh),
        standardised=tuple(r.initial_loss for r in controls if r.initial_loss is not None),
        first_non_finite=next((r.first_non_finite for r in fresh if r.first_non_finite), None),
    )


def _difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right
