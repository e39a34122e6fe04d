"""One healthy record of each kind, changed by keyword: `make.overfit(floor=0.5)`.

All belong to one run: a perceptron with ten classes on 1,000 rows of 64 columns, Adam at 1e-3, 20 epochs, three seeds.
"""

from tests.helpers.healthy import altered, not_measured
from tests.helpers.make_evidence import environment, evidence, preflight, run, spec, spec_source, steps
from tests.helpers.make_preflight import (
    assumptions,
    baselines,
    data_profile,
    gradient_check,
    gradient_noise,
    layer_profile,
    layers,
    loop_audit,
    loss_profile,
    model_profile,
    optimizer_profile,
    output_profile,
    reference,
    repeatability,
    speed,
    split_profile,
    system_profile,
    target_profile,
    throughput,
)
from tests.helpers.make_steps import (
    coarse_search,
    curve_reading,
    curve_run,
    curves,
    diverged_point,
    fine_search,
    initial_loss,
    layer_trace,
    lr_scan,
    overfit,
    scan_point,
    search_trial,
    small_set_attempt,
    stuck_attempt,
    treatment,
    treatments,
    user_error,
)

__all__ = [
    "altered", "assumptions", "baselines", "coarse_search", "curve_reading", "curve_run", "curves", "data_profile",
    "diverged_point", "environment", "evidence", "fine_search", "gradient_check", "gradient_noise", "initial_loss",
    "layer_profile", "layer_trace", "layers", "loop_audit", "loss_profile", "lr_scan", "model_profile", "not_measured",
    "optimizer_profile", "output_profile", "overfit", "preflight", "reference", "repeatability", "run", "scan_point",
    "search_trial", "small_set_attempt", "spec", "spec_source", "speed", "split_profile", "steps", "stuck_attempt",
    "system_profile", "target_profile", "throughput", "treatment", "treatments", "user_error",
]  # fmt: skip
