"""How is the report made? One self-contained page: no script, no request, readable under the strictest policy."""

import base64
import hashlib
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from diagnoser.findings import Diagnosis
from reports import view
from reports.numbers import number, percent, seconds

NOTEBOOK_BYTES = 100_000  # surface.md 8: a cell stays under 100 KB


def render(diagnosis: Diagnosis) -> str:
    """The whole page."""
    style = resources.files("reports").joinpath("static", "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    page = _environment().get_template("report.html.j2")
    trusted = Markup(style)  # noqa: S704  # our own file
    return page.render(view=view.build(diagnosis), style=trusted, policy=policy, embedded=_embedded(diagnosis))


def render_cell(diagnosis: Diagnosis) -> str:
    """What a notebook shows: verdict and findings, no charts, no style of the page's own."""
    return _environment().get_template("notebook.html.j2").render(view=view.build(diagnosis))


def _embedded(diagnosis: Diagnosis) -> Markup:
    """The diagnosis for machines; nothing in it can end the element that holds it."""
    text = diagnosis.model_dump_json()
    for character, code in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(character, code)
    return Markup(text)  # noqa: S704  # what could end the element is escaped above


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "seconds": seconds}
    environment.globals |= {"states": view.STATES, "share": view.share, "again": view.again}
    return environment
