"""What did the spec leave open, and how was it settled?"""

from diagnoser.evidence.preflight import Assumptions
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe


def measure(workload: Workload, probe: Probe) -> Assumptions:
    """Hand over what the workload inferred when it was loaded."""
    return workload.assumptions()
