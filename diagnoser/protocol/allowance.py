"""How much may a step cost? Its share of the budget, in updates that this machine can do."""

from diagnoser.records import Record

MAX_SLACK = 1.5  # a trial may take this multiple of its even share before it stops itself


class Allowance(Record):
    """What a step may spend from now on, and what things cost here."""

    seconds: float  # wall time
    processes: int = 1
    seconds_per_update: float = 0.01
    seconds_per_evaluation: float = 0.0
    seconds_to_build: float = 0.0

    def updates(self, *, trials: int, evaluations: int = 1, at_most: int, at_least: int = 1) -> int:
        """Updates that each of `trials` trials can do, between the two bounds."""
        share = self.seconds * min(self.processes, trials) / max(1, trials)
        for_training = share - evaluations * self.seconds_per_evaluation - self.seconds_to_build
        affordable = int(for_training / max(self.seconds_per_update, 1e-6))
        return max(at_least, min(at_most, affordable))

    def trials(self, *, updates: int, evaluations: int = 1, at_most: int) -> int:
        """How many trials of that length fit, at most `at_most`."""
        one = updates * self.seconds_per_update + evaluations * self.seconds_per_evaluation + self.seconds_to_build
        return max(0, min(at_most, int(self.seconds * self.processes / max(one, 1e-6))))

    def limit(self, *, trials: int) -> float:
        """Seconds after which one of `trials` trials stops itself, so that a wrong estimate cannot eat the budget."""
        return max(1.0, MAX_SLACK * self.seconds * min(self.processes, trials) / max(1, trials))
