"""What does a probe measure? Finds the file of its kind and turns what goes wrong into an outcome."""

import importlib
import time

from diagnoser.evidence.preflight import ProbeResult
from diagnoser.training.failures import USER_STOPS, is_ours, outcome_of, user_error
from diagnoser.training.randomness import restored
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Outcome, Probe, ProbeKind


def run_probe(workload: Workload, probe: Probe) -> ProbeResult:
    """Measure without training. What the user's code raises is a result; what ours raises propagates."""
    start = time.perf_counter()
    try:
        with restored():
            if probe.probe is ProbeKind.ASSUMPTIONS:
                value = workload.assumptions()
            else:  # imported here: one probe needs scikit-learn, another nothing
                value = importlib.import_module(f"diagnoser.training.probes.{probe.probe}").measure(workload, probe)
    except Unsupported as error:
        return ProbeResult(outcome=Outcome.COMPLETED, unsupported=error.reason, seconds=time.perf_counter() - start)
    except USER_STOPS as error:
        if is_ours(error):
            raise
        return ProbeResult(outcome=outcome_of(error), error=user_error(error), seconds=time.perf_counter() - start)
    return ProbeResult(outcome=Outcome.COMPLETED, seconds=time.perf_counter() - start, value=value)
