"""Which rules are there? Every module of `rules/catalog/<category>/`; nothing is registered by hand."""

import importlib
import inspect
import pkgutil
import typing
from functools import cache
from importlib import resources
from typing import NamedTuple

from diagnoser.findings import Category
from rules import catalog
from rules.rule import Check, Need, Rule, RuleDefinitionError, needs

CATEGORIES: tuple[str, ...] = typing.get_args(Category)


class Registered(NamedTuple):
    """One rule with the names that its place gives it."""

    id: str
    category: Category
    rule: Rule
    check: Check
    needs: tuple[Need, ...]
    package: str  # "rules.catalog.learning_rate": where its page lies
    page: str  # "learning_rate_too_high.md"


@cache
def rules() -> tuple[Registered, ...]:
    """All rules, by id. Raises RuleDefinitionError for the first file that is wrong."""
    found: dict[str, Registered] = {}
    for folder in pkgutil.iter_modules(catalog.__path__):
        for file in pkgutil.iter_modules([f"{path}/{folder.name}" for path in catalog.__path__]):
            rule = _read(folder.name, file.name)
            if rule.id in found:
                raise RuleDefinitionError(f"{rule.id}: there is one in {found[rule.id].package} and in {rule.package}")
            found[rule.id] = rule
    return tuple(found[name] for name in sorted(found))


def find(rule_id: str) -> Registered | None:
    """The rule of this id."""
    return next((rule for rule in rules() if rule.id == rule_id), None)


def category_of(folder: str) -> Category:
    """`learning_rate` -> `learning-rate`; raises RuleDefinitionError when the design knows no such category."""
    for category in CATEGORIES:
        if category == folder.replace("_", "-"):
            return typing.cast("Category", category)
    raise RuleDefinitionError(f"rules/catalog/{folder}: no category of the design; they are {', '.join(CATEGORIES)}")


def _read(folder: str, name: str) -> Registered:
    category = category_of(folder)
    package = f"{catalog.__name__}.{folder}"
    where = f"rules/catalog/{folder}/{name}"
    try:
        module = importlib.import_module(f"{package}.{name}")
    except Exception as error:
        raise RuleDefinitionError(f"{where}.py: it cannot be imported: {type(error).__name__}: {error}") from error
    rule = getattr(module, "RULE", None)
    check = getattr(module, "check", None)
    if not isinstance(rule, Rule):
        raise RuleDefinitionError(f"{where}.py: it has no RULE = Rule(...)")
    if not inspect.isgeneratorfunction(check):
        raise RuleDefinitionError(f"{where}.py: it has no generator function check(...)")
    if not resources.files(package).joinpath(f"{name}.md").is_file():
        raise RuleDefinitionError(f"{where}.md: the rule's page is missing")
    return Registered(
        id=name.replace("_", "-"),
        category=category,
        rule=rule,
        check=check,
        needs=needs(check),
        package=package,
        page=f"{name}.md",
    )
