"""Rules of three lines, for tests of the engine itself."""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile
from diagnoser.evidence.steps import InitialLoss, Overfit, Treatments
from diagnoser.findings import Category, Confidence, Fix, Severity
from rules.registry import Registered
from rules.rule import Answer, Check, Finding, NotApplicable, Passed, Rule, Unjudged, needs


def registered(check: Check, *, id: str, category: Category = "data") -> Registered:
    rule = Rule(title=f"About {id}", why="Because.", since="0.1")
    return Registered(id=id, category=category, rule=rule, check=check, needs=needs(check), package="", page="")


def finding(
    *,
    severity: str = "error",
    confidence: str = "high",
    fixes: tuple[Fix, ...] = (),
    explains: tuple[str, ...] = (),
    key: str | None = None,
    subject: str | None = None,
    by_definition: bool = False,
) -> Finding:
    return Finding(
        message="It is wrong.",
        severity=Severity(severity),
        confidence=Confidence(confidence),
        observed="1",
        expected="0",
        evidence=("/steps/initial_loss/value/observed",),
        fixes=fixes,
        explains=explains,
        key=key,
        subject=subject,
        by_definition=by_definition,
    )


def always(*findings: Finding, id: str = "always-wrong", category: Category = "data") -> Registered:
    """A rule that finds these whatever was measured."""

    def check(treatments: Treatments | None) -> Iterator[Answer]:
        yield from findings

    return registered(check, id=id, category=category)


def passing(*, id: str = "never-wrong", category: Category = "data") -> Registered:
    def check(treatments: Treatments | None) -> Iterator[Answer]:
        yield Passed(observed="0", expected="0")

    return registered(check, id=id, category=category)


def needs_overfit(*, id: str = "needs-overfit") -> Registered:
    def check(overfit: Overfit) -> Iterator[Answer]:
        yield Passed(observed=str(overfit.rows), expected="some")

    return registered(check, id=id)


def says_not_applicable(*, id: str = "does-not-apply") -> Registered:
    def check(initial: InitialLoss) -> Iterator[Answer]:
        raise NotApplicable("there is no text here")
        yield

    return registered(check, id=id)


def says_unjudged(*, id: str = "cannot-tell") -> Registered:
    def check(data: DataProfile) -> Iterator[Answer]:
        raise Unjudged("12 rows are too few")
        yield

    return registered(check, id=id)


def with_a_bug(*, id: str = "has-a-bug") -> Registered:
    def check(data: DataProfile) -> Iterator[Answer]:
        yield Passed(observed=str(1 / data.constant_features), expected="a number")

    return registered(check, id=id)


def without_an_answer(*, id: str = "says-nothing") -> Registered:
    def check(data: DataProfile) -> Iterator[Answer]:
        yield from ()

    return registered(check, id=id)
