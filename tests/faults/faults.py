"""Which faults are there? All operators on all their programs."""

from tests.faults.mutation import Fault
from tests.faults.operators import data, labels, loops, losses, models, numerics, rates, regularisation

FAULTS: tuple[Fault, ...] = (
    *data.FAULTS,
    *labels.FAULTS,
    *losses.FAULTS,
    *models.FAULTS,
    *rates.FAULTS,
    *regularisation.FAULTS,
    *numerics.FAULTS,
    *loops.FAULTS,
)
