"""What in a folder could a spec name? Found by reading the Python files, never by importing them."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from diagnoser.records import JsonValue
from diagnoser.spec.names import OPTIMIZER_CLASSES, OPTIMIZERS

MAX_FILES = 200  # a folder with more is somebody's whole disk
MAX_SOURCE_BYTES = 1_000_000
SKIPPED = ("tests", "test", "docs", "build", "dist", "node_modules", "site-packages")

MODEL_WORDS = (
    *("build_model", "make_model", "get_model", "create_model", "load_model", "model_fn", "model"),
    *("build_net", "make_net", "get_net", "build_network", "make_network", "network"),
)
DATA_WORDS = ("dataset", "datasets", "data", "get_loaders", "make_loaders", "build_loaders", "dataloaders")
STEP_WORDS = ("training_step", "train_step")
LOSS_WORDS = ("loss_fn", "loss_function", "compute_loss", "my_loss", "custom_loss", "get_loss")
LOOP_WORDS = ("train_one_epoch", "train_epoch", "train_loop", "train", "fit_epoch")
EVALUATE_WORDS = ("evaluate", "evaluate_model", "validate", "eval_model", "test_epoch", "validate_one_epoch")
MODULE_BASES = ("Module", "Sequential")
MODEL_ARGUMENTS = ("model", "net", "network", "module")
GIVEN_TO_LOOP = ("scheduler", "loss", "scaler")
LOSS_CLASSES = {
    "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss",
    "MSELoss": "mse_loss",
    "L1Loss": "l1_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "HuberLoss": "huber_loss",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
}


@dataclass(frozen=True)
class Found:
    """A function or class that may be what a key asks for."""

    reference: str
    file: str
    line: int
    weight: int  # how likely, for the choice among several
    needs: tuple[str, ...] = ()  # arguments without a default

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Findings:
    """All candidates of a folder, by the key that they would fill."""

    by_key: dict[str, list[Found]] = field(default_factory=dict)
    near: dict[str, list[Found]] = field(default_factory=dict)  # the right name, but called with something else
    losses: list[tuple[str, str]] = field(default_factory=list)  # built-in name, place of its use
    optimizers: list[tuple[dict[str, JsonValue], str]] = field(default_factory=list)  # settings, place of its use
    batch_sizes: list[tuple[int, str]] = field(default_factory=list)

    def best(self, key: str) -> Found | None:
        return max(self.by_key.get(key, ()), key=lambda found: found.weight, default=None)

    def others(self, key: str) -> list[Found]:
        best = self.best(key)
        return [found for found in self.by_key.get(key, ()) if found is not best][:3]


def look(folder: Path) -> Findings:
    """Read every Python file of a folder and collect what a spec could name."""
    findings = Findings()
    for file in _python_files(folder):
        try:
            if file.stat().st_size > MAX_SOURCE_BYTES:
                continue
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        place = file.relative_to(folder)
        module = ".".join(place.with_suffix("").parts).removesuffix(".__init__")
        _collect(tree, module=module, file=place.as_posix(), findings=findings)
    return findings


def _python_files(folder: Path) -> Iterator[Path]:
    """Files whose path can be written as a module, those at the top first."""
    files = []
    for path in sorted(folder.rglob("*.py")) if folder.is_dir() else ():
        parts = path.relative_to(folder).with_suffix("").parts
        if all(part.isidentifier() for part in parts) and not any(part in SKIPPED for part in parts[:-1]):
            files.append((len(parts), path))
        if len(files) >= MAX_FILES:
            break
    yield from (path for _, path in sorted(files))


def _collect(tree: ast.Module, *, module: str, file: str, findings: Findings) -> None:
    own_modules = _module_classes(tree)
    parts = {name for name in own_modules for other in own_modules if other != name and _builds(tree, other, name)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in own_modules and node.name not in parts:
            roles: Iterable[tuple[str, int, bool]] = (("model", 2, _callable_with(node, 0)),)
        elif isinstance(node, ast.FunctionDef):
            roles = _roles(node)
        else:
            continue
        for key, weight, fits in roles:
            reference, needs = f"{module}:{node.name}", _needed(node)
            found = Found(reference=reference, file=file, line=node.lineno, weight=weight, needs=needs)
            (findings.by_key if fits else findings.near).setdefault(key, []).append(found)
    for use in ast.walk(tree):
        _notice_use(use, file=file, findings=findings)


def _notice_use(use: ast.AST, *, file: str, findings: Findings) -> None:
    """Note which loss, optimizer and batch size the code itself uses."""
    if isinstance(use, ast.Attribute) and use.attr in {*LOSS_CLASSES, *LOSS_CLASSES.values()}:
        findings.losses.append((LOSS_CLASSES.get(use.attr, use.attr), f"{file}:{use.lineno}"))
    if not isinstance(use, ast.Call):
        return
    place, called = f"{file}:{use.lineno}", _last_name(use.func)
    given = {word.arg: word.value.value for word in use.keywords if word.arg and isinstance(word.value, ast.Constant)}
    size = given.get("batch_size")
    if called == "DataLoader" and isinstance(size, int) and size > 0:
        findings.batch_sizes.append((size, place))
    if called in OPTIMIZER_CLASSES.values() and called.lower() in OPTIMIZERS:
        if len(use.args) > 1 and isinstance(use.args[1], ast.Constant):
            given.setdefault("lr", use.args[1].value)
        settings: dict[str, JsonValue] = {"name": called.lower()}
        for key in ("lr", "momentum", "weight_decay"):
            value = given.get(key)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
                continue
            if value > 0 if key == "lr" else value < 1 or key == "weight_decay":
                settings[key] = value
        findings.optimizers.append((settings, place))


def _roles(node: ast.FunctionDef) -> Iterator[tuple[str, int, bool]]:
    """Tell which keys a function could fill: (key, how likely, can it be called as that key's function is)."""
    name = node.name.lower()
    words = [argument.arg.lower() for argument in (*node.args.posonlyargs, *node.args.args)]
    on_model = bool(words) and words[0] in MODEL_ARGUMENTS
    bare = _callable_with(node, 0)
    if name in MODEL_WORDS:
        yield "model", 3, bare
    elif name in DATA_WORDS or "data" in name:
        yield "data", 4 if _returns_several(node) else 2, bare
    elif bare and _returns_several(node):
        yield "data", 1, True
    if name in STEP_WORDS or (name.endswith("_step") and on_model):
        yield "step", 2, on_model and _callable_with(node, 2)
    if name in LOSS_WORDS or name.endswith("_loss"):
        yield "loss", 2, not on_model and _callable_with(node, 2)
    if name in LOOP_WORDS:
        likely = len(LOOP_WORDS) - LOOP_WORDS.index(name)
        yield "loop", likely, on_model and len(words) > 2 and words[1].startswith("opt") and _takes(node, 3)
    if name in EVALUATE_WORDS:
        yield "evaluate", len(EVALUATE_WORDS) - EVALUATE_WORDS.index(name), on_model and _callable_with(node, 2)


def _takes(node: ast.FunctionDef, count: int) -> bool:
    """The loop is also given `scheduler`, `loss` and `scaler` when it names them."""
    return all(name in GIVEN_TO_LOOP for name in _needed(node)[count:])


def _module_classes(tree: ast.Module) -> set[str]:
    """Name the classes that descend from nn.Module within this file."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    known = set(MODULE_BASES)
    for _ in classes:  # a class may descend from one that stands further down
        known |= {node.name for node in classes if any(_last_name(base) in known for base in node.bases)}
    return known - set(MODULE_BASES)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _builds(tree: ast.Module, outer: str, inner: str) -> bool:
    """Tell whether one class makes objects of another: then the inner one is a part and no whole model."""
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == outer)
    return any(isinstance(use, ast.Call) and _last_name(use.func) == inner for use in ast.walk(body))


def _signature(node: ast.FunctionDef | ast.ClassDef) -> tuple[ast.arguments | None, int]:
    """Return the arguments of a call and how many of them Python fills itself."""
    if isinstance(node, ast.FunctionDef):
        return node.args, 0
    made = next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)
    return (None, 0) if made is None else (made.args, 1)


def _needed(node: ast.FunctionDef | ast.ClassDef) -> tuple[str, ...]:
    """Name the arguments without a default."""
    arguments, filled = _signature(node)
    if arguments is None:
        return ()
    positional = [*arguments.posonlyargs, *arguments.args]
    by_name = [
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    return (*(argument.arg for argument in positional[filled : len(positional) - len(arguments.defaults)]), *by_name)


def _callable_with(node: ast.FunctionDef | ast.ClassDef, count: int) -> bool:
    """Tell whether it can be called with this many positional arguments."""
    arguments, filled = _signature(node)
    if arguments is None:
        return count == 0
    positional = len(arguments.posonlyargs) + len(arguments.args) - filled
    by_name = any(default is None for default in arguments.kw_defaults)
    enough = count <= positional or arguments.vararg is not None
    return not by_name and enough and len(_needed(node)) <= count


def _returns_several(node: ast.FunctionDef) -> bool:
    return any(
        isinstance(each, ast.Return) and isinstance(each.value, ast.Tuple) and len(each.value.elts) >= 2
        for each in ast.walk(node)
    )
