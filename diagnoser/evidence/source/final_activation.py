"""Where does the activation at the very end of the model stand, and how would the source read without it?"""

import ast
from typing import NamedTuple

from diagnoser.evidence.source.files import REST_OF_LINE, Change, File, replaced
from diagnoser.evidence.source.names import Definition, Project, attribute, method, own_attribute, within

NAMES = frozenset({"softmax", "softmin", "sigmoid", "tanh", "relu", "relu6", "hardtanh", "hardsigmoid"})
"""What the transform `remove-final-activation` takes away, lower case; a log-softmax does no harm and stays."""
HOMES = ("torch.", "torch.nn.functional.", "torch.special.")
MOST_LEVELS = 8  # of modules in modules


class Found(NamedTuple):
    """The change, and the name of the activation."""

    change: Change
    activation: str


def without(project: Project, model: Definition, *, levels: int = MOST_LEVELS) -> Found | None:
    """The model's source without its last activation; None where that is not plain to see."""
    if levels == 0:
        return None
    if isinstance(model.node, ast.Call):
        return _in_sequential(project, model.file, model.node, levels)
    forward = method(model.node, "forward") if isinstance(model.node, ast.ClassDef) else None
    if forward is None or not isinstance(model.node, ast.ClassDef):
        return None
    returns = [node for node in within(forward) if isinstance(node, ast.Return)]
    last = forward.body[-1]
    if len(returns) != 1 or not isinstance(last, ast.Return) or last.value is None:
        return None
    value = last.value
    if isinstance(value, ast.Name):  # `x = softmax(x)` in the line before `return x`
        above = forward.body[-2] if len(forward.body) > 1 else None
        is_it = isinstance(above, ast.Assign) and len(above.targets) == 1 and isinstance(above.targets[0], ast.Name)
        if (
            not is_it
            or not isinstance(above, ast.Assign)
            or ast.dump(above.targets[0]) != ast.dump(ast.Name(value.id, ast.Store()))
        ):
            return None
        value = above.value
    return _in_call(project, Definition(model.file, model.node), value, levels)


def _in_call(project: Project, owner: Definition, value: ast.expr, levels: int) -> Found | None:
    """`softmax(x, 1)`, `x.softmax(1)`, `self.softmax(x)` or `self.net(x)`."""
    if not isinstance(value, ast.Call) or not isinstance(owner.node, ast.ClassDef):
        return None
    file = owner.file
    first = value.args[0] if value.args and not isinstance(value.args[0], ast.Starred) else None
    name = _activation(project.full_name(file, value.func), HOMES)
    if name is not None:
        return Found(replaced(file, value, file.source(first)), name) if first is not None else None
    if not isinstance(value.func, ast.Attribute):
        return None
    own = own_attribute(value.func)
    if own is None:
        is_method = value.func.attr in NAMES and project.full_name(file, value.func.value) is None
        return Found(replaced(file, value, file.source(value.func.value)), value.func.attr) if is_method else None
    made = attribute(owner.node, own)
    name = _activation(project.called(file, made), ("torch.nn.",))
    if name is not None:
        return Found(replaced(file, value, file.source(first)), name) if first and len(value.args) == 1 else None
    used = [node for node in ast.walk(owner.node) if own_attribute(node) == own and isinstance(node.ctx, ast.Load)]  # type: ignore[attr-defined]  # an attribute
    return _in_module(project, file, made, levels) if len(used) == 1 else None


def _in_module(project: Project, file: File, made: ast.expr | None, levels: int) -> Found | None:
    """At the end of a module inside the model, if that module stands nowhere else."""
    if isinstance(made, ast.Call) and project.called(file, made) == "torch.nn.Sequential":
        return _in_sequential(project, file, made, levels)
    inner = project.defined(file, made)
    if inner is None or _times_made(project, inner) != 1:
        return None
    return without(project, inner, levels=levels - 1)


def _in_sequential(project: Project, file: File, call: ast.Call, levels: int) -> Found | None:
    if call.keywords or len(call.args) < 2 or any(isinstance(item, ast.Starred) for item in call.args):
        return None
    last, above = call.args[-1], call.args[-2]
    name = _activation(project.called(file, last), ("torch.nn.",))
    if name is None:
        return _in_module(project, file, last, levels)
    end = file.end(last)
    comma = file.text[end : file.end(call)].find(",")
    start = file.starts[last.lineno - 1]
    if above.end_lineno != last.lineno and not file.text[start : file.start(last)].strip():
        # A line of its own goes as a whole, with its comma and its comment.
        behind = end + comma + 1 if comma >= 0 and not file.text[end : end + comma].strip() else end
        rest = REST_OF_LINE.match(file.text, behind)
        return Found(Change(file, start, rest.end(), ""), name) if rest is not None else None
    between = file.text[file.end(above) : file.start(last)]
    return Found(Change(file, file.end(above), end, ""), name) if "#" not in between else None


def _activation(full: str | None, homes: tuple[str, ...]) -> str | None:
    """The plain name of an activation of torch's, in lower case."""
    home, _, name = (full or "").rpartition(".")
    return name.lower() if f"{home}." in homes and name.lower() in NAMES else None


def _times_made(project: Project, found: Definition) -> int:
    return sum(
        made is not None and made.node is found.node
        for file in project.files.values()
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Call)
        for made in [project.defined(file, node)]
    )
