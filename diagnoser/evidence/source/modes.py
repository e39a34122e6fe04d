"""Where would the user's `loop` and `evaluate` switch the model's mode?"""

import ast

from diagnoser.evidence.source.files import Change, File, before
from diagnoser.evidence.source.names import Definition, FunctionNode, within
from diagnoser.evidence.source.statements import Changes, Loop, first_statement, only


def train_mode(loop: Loop) -> Changes | None:
    """`model.train()` at the head of the loop; in place of `model.eval()` if that is what stands there."""
    calls = _modes(loop.function, loop.model)
    if not calls:
        return _at_the_head(loop.file, loop.function, f"{loop.model}.train()")
    if len(calls) != 1 or calls[0].attr != "eval" or calls[0].lineno > loop.backward.node.lineno:
        return None
    end = loop.file.end(calls[0])
    return (Change(loop.file, end - len("eval"), end, "train"),)


def eval_mode(evaluate: Definition | None, loop: Loop | None) -> Changes | None:
    """`model.eval()` at the head of `evaluate`, or for the `train()` there; then the loop has to turn back."""
    if evaluate is None or not isinstance(evaluate.node, FunctionNode) or not evaluate.node.args.args:
        return None
    model = evaluate.node.args.args[0].arg
    calls = _modes(evaluate.node, model)
    if not calls:
        changes = _at_the_head(evaluate.file, evaluate.node, f"{model}.eval()")
    elif [call.attr for call in calls] == ["train"] and calls[0].lineno == first_statement(evaluate.node).lineno:
        end = evaluate.file.end(calls[0])
        changes = (Change(evaluate.file, end - len("train"), end, "eval"),)
    else:
        return None
    back = train_mode(loop) if loop is not None and not _modes(loop.function, loop.model) else ()
    return None if changes is None or back is None else (*changes, *back)


def _modes(function: FunctionNode, model: str) -> list[ast.Attribute]:
    return [
        node
        for node in within(function)
        if isinstance(node, ast.Attribute)
        and node.attr in {"train", "eval"}
        and isinstance(node.value, ast.Name)
        and node.value.id == model
    ]


def _at_the_head(file: File, function: FunctionNode, code: str) -> Changes | None:
    return only(before(file, first_statement(function), code))
