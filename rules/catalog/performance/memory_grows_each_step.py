"""Does each step leave something behind in memory?"""

from collections.abc import Iterator
from itertools import pairwise

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Memory grows with every step",
    why="A loss that is kept keeps its whole graph: memory fills up until the process is killed, hours into the run.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/notes/faq.html",),
)
FEWEST = 5  # batches
RISING = 0.9  # share of the batches after which more graph nodes are alive than before


def check(loop: LoopAudit) -> Iterator[Finding | Passed]:
    if not loop.has_loop:
        raise NotApplicable("the spec has no loop of your own")
    kept = loop.graph_nodes_kept
    if len(kept) < FEWEST:
        raise Unjudged(f"the live graph was counted after {len(kept)} batches only")
    rises = [after > before for before, after in pairwise(kept)]
    observed = f"{kept[0]:,} live graph nodes after the first batch, {kept[-1]:,} after batch {len(kept)}"
    if sum(rises) < RISING * len(rises):
        yield Passed(observed=observed, expected="no growth")
        return
    growth = loop.memory_growth_share
    grown = f" and memory by {growth:.1%}" if growth is not None and growth > 0 else ""
    yield Finding(
        title="Your loop keeps the graph of every step",
        message=f"The number of live graph nodes grew from {kept[0]:,} to {kept[-1]:,} in {len(kept)} batches{grown}: "
        "a tensor is kept together with the graph that made it.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,  # counted
        observed=observed,
        expected="no growth",
        evidence=("/steps/preflight/loop/value/graph_nodes_kept",),
        fixes=(Fix(title="Keep numbers, not tensors", advice="`total += loss.item()`, or `loss.detach()`"),),
        key="loop",
    )
