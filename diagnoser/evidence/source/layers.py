"""Which layers of the user's source lack something: an activation, a registration, the tie to the mode, a gradient?"""

import ast
from collections.abc import Iterator

from diagnoser.evidence.source.files import Change, File, replaced
from diagnoser.evidence.source.names import Definition, FunctionNode, Project, attribute, method, own_attribute, within

WEIGHTS = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d"})
NORMS = frozenset({"BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LayerNorm", "GroupNorm"})
SHAPES = frozenset({"Flatten", "Unflatten", "Identity", "MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d", "Dropout",
                    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "Dropout1d", "Dropout2d"})  # fmt: skip
"""Modules that bend nothing (a maximum does, but is no activation)."""
CUTS = frozenset(
    {"detach", "detach_", "data", "item", "numpy", "tolist", "no_grad", "inference_mode", "argmax", "tensor"}
)
"""What ends a graph, or makes a tensor without one."""
FUNCTIONAL = "torch.nn.functional."
DROPOUTS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"})


def with_relu(project: Project, model: Definition) -> tuple[Change, ...] | None:
    """A ReLU behind each hidden layer of the model's one `nn.Sequential(...)`, where it has no activation at all."""
    if isinstance(model.node, ast.Call):
        literals = [model.node]
    else:
        calls = [node for node in ast.walk(model.node) if isinstance(node, ast.Call)]
        literals = [node for node in calls if project.called(model.file, node) == _SEQUENTIAL]
    layers = [node for node in ast.walk(model.node) if _layer(project, model.file, node) in WEIGHTS]
    if len(literals) != 1:
        return None
    (literal,) = literals
    kinds = [_layer(project, model.file, item) for item in literal.args]
    weights = [number for number, kind in enumerate(kinds) if kind in WEIGHTS]
    if (
        literal.keywords
        or len(weights) < 2
        or len(weights) != len(layers)
        or not set(kinds) <= WEIGHTS | NORMS | SHAPES
    ):
        return None
    changes = []
    for number in weights[:-1]:
        behind = number + 1 + (kinds[number + 1] in NORMS)
        name = _relu(project, model.file, literal.args[number])
        if name is None:
            return None
        changes.append(_above(model.file, literal.args[behind], f"{name}()"))
    return tuple(changes)


def registered(project: Project) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """Each attribute in which layers stand in a plain list or dict, and the `nn.ModuleList` or `nn.ModuleDict`."""
    for file, node in project.classes():
        nn = next((name for name, full in project.imports[file.name].items() if full == "torch.nn"), None)
        made = method(node, "__init__")
        if made is None or nn is None:
            continue
        for item in within(made):
            if not isinstance(item, ast.Assign) or len(item.targets) != 1:
                continue
            name = own_attribute(item.targets[0])
            if name is None or attribute(node, name) is not item.value:
                continue
            kind = _holder(project, file, item.value, _appended(made, name))
            if kind is not None:
                text = file.text[file.start(item.value) : file.end(item.value)]
                held = "" if text in {"[]", "{}"} else text
                yield name, (replaced(file, item.value, f"{nn}.{kind}({held})"),)


def dropout_by_mode(project: Project) -> tuple[Change, ...]:
    """`training=self.training` for every functional dropout of the user's modules that does not say it."""
    changes = []
    for file, node in project.classes():
        for item in ast.walk(node):
            full = project.called(file, _expression(item)) or ""
            if not isinstance(item, ast.Call) or full.removeprefix(FUNCTIONAL) not in DROPOUTS or len(item.args) > 2:
                continue
            said = [keyword for keyword in item.keywords if keyword.arg == "training"]
            if any(keyword.arg is None for keyword in item.keywords) or not full.startswith(FUNCTIONAL):
                continue
            if not said:
                end = file.end(item) - 1
                inside = file.text[file.start(item) : end].rstrip()
                changes.append(Change(file, end, end, f"{' ' if inside.endswith(',') else ', '}training=self.training"))
            elif isinstance(said[0].value, ast.Constant) and said[0].value.value is True:
                changes.append(replaced(file, said[0].value, "self.training"))
    return tuple(changes)


def attached(project: Project, others: tuple[Definition, ...]) -> tuple[Change, ...] | None:
    """Without the one `.detach()` on the way from the input to the loss; `others`: the user's loss and step.

    None where something else there may cut the graph as well.
    """
    functions = [
        (file, forward) for file, node in project.classes() if (forward := method(node, "forward")) is not None
    ]
    functions += [(one.file, one.node) for one in others if isinstance(one.node, FunctionNode)]
    cuts = [
        (file, node)
        for file, function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr in CUTS
    ]
    calls = [
        (file, node)
        for file, function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "detach"
    ]
    if len(cuts) != 1 or len(calls) != 1:
        return None
    ((file, call),) = calls
    # from the end of what is detached, brackets and all, to the end of the call
    dot = file.text.rfind(".", 0, file.end(call.func))
    return (Change(file, dot, file.end(call), ""),)


def all_parameters(factory: Definition) -> tuple[Change, ...] | None:
    """`model.parameters()` in place of the parameters of some parts, in the user's optimizer factory."""
    if not isinstance(factory.node, FunctionNode) or not factory.node.args.args:
        return None
    model = factory.node.args.args[0].arg
    calls = [
        node
        for node in within(factory.node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "parameters"
    ]
    if not calls or not all(_is_part_of(model, call) for call in calls):
        return None
    if len(calls) == 1 and isinstance(calls[0].func, ast.Attribute):
        return (replaced(factory.file, calls[0].func.value, model),)
    groups = [node for node in within(factory.node) if isinstance(node, ast.List) and _holds(node, calls)]
    return (replaced(factory.file, groups[0], f"{model}.parameters()"),) if len(groups) == 1 else None


def _is_part_of(model: str, call: ast.Call) -> bool:
    """`model.head.parameters()`."""
    assert isinstance(call.func, ast.Attribute)
    root = call.func.value
    is_part = isinstance(root, ast.Attribute)
    while isinstance(root, ast.Attribute):
        root = root.value
    return is_part and isinstance(root, ast.Name) and root.id == model


def _holds(groups: ast.List, calls: list[ast.Call]) -> bool:
    """`[{"params": ...}, {"params": ...}]` of just these, with nothing said of any of them alone."""
    plain = [item for item in groups.elts if isinstance(item, ast.Dict) and len(item.keys) == 1]
    names = [item.keys[0] for item in plain]
    are_params = all(isinstance(name, ast.Constant) and name.value == "params" for name in names)
    return are_params and len(plain) == len(groups.elts) and [item.values[0] for item in plain] == calls


_SEQUENTIAL = "torch.nn.Sequential"


def _expression(node: ast.AST) -> ast.expr | None:
    return node if isinstance(node, ast.expr) else None


def _layer(project: Project, file: File, node: ast.AST) -> str | None:
    """The class of a module of torch's that is made here."""
    home, _, name = (project.called(file, _expression(node)) or "").rpartition(".")
    return name if home == "torch.nn" else None


def _relu(project: Project, file: File, layer: ast.expr) -> str | None:
    """How this file would write `nn.ReLU`."""
    assert isinstance(layer, ast.Call)
    if isinstance(layer.func, ast.Attribute):
        return f"{file.source(layer.func.value)}.ReLU"
    return next((name for name, full in project.imports[file.name].items() if full == "torch.nn.ReLU"), None)


def _above(file: File, item: ast.expr, text: str) -> Change:
    """One more item in front of another one: in a line of its own if that one has one."""
    line = file.starts[item.lineno - 1]
    space = file.text[line : file.start(item)]
    if space.strip():
        return Change(file, file.start(item), file.start(item), f"{text}, ")
    end = "\r\n" if file.lines[item.lineno - 1].endswith("\r\n") else "\n"
    return Change(file, line, line, f"{space}{text},{end}")


def _holder(project: Project, file: File, value: ast.expr, appended: list[ast.expr]) -> str | None:
    """`ModuleList` or `ModuleDict`, where nothing but layers is held."""
    if isinstance(value, ast.ListComp):
        return "ModuleList" if _is_module(project, file, value.elt) else None
    if isinstance(value, ast.List):
        held = [*value.elts, *appended]
        return "ModuleList" if held and all(_is_module(project, file, item) for item in held) else None
    if isinstance(value, ast.Dict) and value.keys:
        texts = all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in value.keys)
        return "ModuleDict" if texts and all(_is_module(project, file, item) for item in value.values) else None
    return None


def _appended(function: FunctionNode, name: str) -> list[ast.expr]:
    """What `self.name.append(...)` is given."""
    return [
        node.args[0]
        for node in within(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "append"
        and own_attribute(node.func.value) == name
        and len(node.args) == 1
    ]


def _is_module(project: Project, file: File, item: ast.expr) -> bool:
    made = project.defined(file, item)
    if made is not None:
        return any(node is made.node for _, node in project.classes())
    name = _layer(project, file, item)
    return name is not None and name[0].isupper() and name != "Parameter"
