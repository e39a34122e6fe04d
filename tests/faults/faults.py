"""Which faults are there? All operators on all their programs."""

from tests.faults.mutation import Fault
from tests.faults.operators import (
    data,
    hints,
    labels,
    loops,
    losses,
    models,
    numerics,
    rates,
    regularisation,
    resources,
    schedules,
)

FAULTS: tuple[Fault, ...] = (
    *data.FAULTS,
    *labels.FAULTS,
    *losses.FAULTS,
    *models.FAULTS,
    *rates.FAULTS,
    *regularisation.FAULTS,
    *numerics.FAULTS,
    *loops.FAULTS,
    *schedules.FAULTS,
    *resources.FAULTS,
    *hints.FAULTS,
)
