"""What can be imported on this machine, and what does a source miss of it? Names alone: nothing is imported.

Does not cover: parts of a package that several distributions share (`google.cloud.storage` where only `google` is
there), and whether a version is the right one.
"""

import pkgutil
from collections.abc import Collection
from importlib import metadata

from diagnoser.packages.imports import Import, Imports
from diagnoser.records import Record


class Installed(Record):
    """A top-level module, and the distribution that brought it where that is known."""

    module: str
    distribution: str | None = None
    version: str | None = None


def installed() -> tuple[Installed, ...]:
    """Give every top-level module that a program started here could import, sorted; takes up to a second."""
    found = {module.name: Installed(module=module.name) for module in pkgutil.iter_modules()}
    for name, distributions in metadata.packages_distributions().items():
        first = min(distributions)
        found[name] = Installed(module=name, distribution=first, version=_version(first))
    return tuple(found[name] for name in sorted(found) if name.isidentifier())


def missing(imports: Imports, there: Collection[str]) -> tuple[Import, ...]:
    """Give the imports that a program needs and that none of the modules `there` is."""
    return tuple(each for each in imports.modules if not each.optional and each.module not in there)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
