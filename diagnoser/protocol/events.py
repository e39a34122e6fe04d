"""What a diagnosis tells while it runs."""

from typing import Literal

from diagnoser.records import Record

StepName = Literal[
    "preflight", "initial_loss", "overfit", "lr_scan", "coarse_search", "fine_search", "curves", "treatments"
]


class Event(Record):
    """One thing that happened; enough for a progress display and for a line in a log."""

    kind: Literal["step_started", "work_planned", "work_done", "step_ended"]
    step: StepName
    planned: int = 0  # pieces of work of this step so far
    done: int = 0
    words: str = ""  # step_ended: what came out, or why nothing did; work_done: the best so far
    seconds_used: float = 0.0
    seconds_left: float = 0.0
