"""Which line of the user's source would change, and is nothing else touched? Known programs, known answers."""

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnoser.evidence.evidence import SourceEdit
from diagnoser.evidence.source import edits
from diagnoser.spec.fields import Factory, Loss, Optimizer, TrainingSpec
from tests.helpers import make
from tests.helpers.replaying import replay

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n"
LOOP = HEAD + "def train(model, optimizer, batches, scheduler):\n"


def spec(**changes: object) -> TrainingSpec:
    given: dict[str, object] = {
        "model": Factory(factory="project:build_model"), "loop": "project:train", "evaluate": "project:evaluate",
        "loss": Loss(factory="project:loss"), "optimizer": Optimizer(factory="project:build_optimizer"),
    }  # fmt: skip
    return make.spec(**(given | changes))


def found(name: str, *texts: str, **changes: object) -> SourceEdit | None:
    """The one edit of that name in `project.py` (and `other.py`)."""
    files = dict(zip(("project.py", "other.py"), texts, strict=False))
    contents = {file: text.encode() for file, text in files.items()}
    of_that_name = [edit for edit in edits.possible(spec(**changes), contents) if edit.name == name]
    assert len(of_that_name) < 2
    return of_that_name[0] if of_that_name else None


def after(name: str, text: str) -> str | None:
    """`project.py` with the edit's diff applied; None where there is no such edit."""
    edit = found(name, text)
    if edit is None:
        return None
    new = replay({"project.py": text}, edit.diff)["project.py"]
    ast.parse(new)
    return new


def class_(*forward: str, init: str = "self.fc = nn.Linear(4, 3)") -> str:
    body = "\n".join(f"        {line}" for line in forward)
    return (
        f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"{textwrap.indent(init, ' ' * 8)}\n\n"
        f"    def forward(self, x):\n{body}\n\n\ndef build_model():\n    return Net()\n"
    )


def function(*lines: str) -> str:
    return LOOP + "".join(f"    {line}\n" for line in lines)


SEQUENTIAL = """def build_model():
    return nn.Sequential(
        nn.Linear(4, 8),
        nn.ReLU(),
        nn.Linear(8, 3),  # scores
        nn.Softmax(dim=1),  # probabilities
    )
"""
WITHOUT_SOFTMAX = SEQUENTIAL.replace("        nn.Softmax(dim=1),  # probabilities\n", "")

FINAL = [
    (HEAD + SEQUENTIAL, HEAD + WITHOUT_SOFTMAX),
    (
        HEAD + "def build_model():\n    return nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())\n",
        HEAD + "def build_model():\n    return nn.Sequential(nn.Linear(4, 3))\n",
    ),
    (
        HEAD
        + "def build_model():\n    net = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU(), nn.Softmax(1)))\n    return net.to('cpu')\n",
        HEAD
        + "def build_model():\n    net = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU()))\n    return net.to('cpu')\n",
    ),
    (class_("return torch.softmax(self.fc(x), dim=1)"), class_("return self.fc(x)")),
    (class_("return F.softmax(self.fc(x), 1)"), class_("return self.fc(x)")),
    (class_("return self.fc(x).softmax(dim=-1)"), class_("return self.fc(x)")),
    (class_("x = self.fc(x)", "x = torch.sigmoid(x)", "return x"), class_("x = self.fc(x)", "x = x", "return x")),
    (class_("out = self.fc(x)", "return torch.relu(out)  # ≥ 0"), class_("out = self.fc(x)", "return out  # ≥ 0")),
    (
        class_("return self.act(self.fc(x))", init="self.fc = nn.Linear(4, 3)\nself.act = nn.Softmax(1)"),
        class_("return self.fc(x)", init="self.fc = nn.Linear(4, 3)\nself.act = nn.Softmax(1)"),
    ),
    (
        class_("return self.net(x.flatten(1))", init="self.net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))"),
        class_("return self.net(x.flatten(1))", init="self.net = nn.Sequential(nn.Linear(4, 3))"),
    ),
    (class_("return torch.softmax(", "    self.fc(x)", "    + 1, 1)"), class_("return (self.fc(x)", "    + 1)")),
]


@pytest.mark.parametrize(("text", "expected"), FINAL)
def test_a_final_activation_is_taken_away_and_nothing_else(text: str, expected: str) -> None:
    assert after("drop-final-activation", text) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [(HEAD + SEQUENTIAL, "softmax"), (class_("return torch.sigmoid(self.fc(x))"), "sigmoid")],
)
def test_the_edit_names_the_activation_its_file_and_its_line(text: str, name: str) -> None:
    edit = found("drop-final-activation", text)
    assert edit is not None
    assert (edit.subject, edit.file) == (name, "project.py")
    assert name in text.splitlines()[edit.line - 1].lower()


@pytest.mark.parametrize(
    "text",
    [
        class_("return self.fc(x)"),
        class_("return F.log_softmax(self.fc(x), 1)"),  # harmless: the loss takes it back
        class_("if self.training:", "    return self.fc(x)", "return torch.softmax(self.fc(x), 1)"),
        class_("return torch.softmax(self.fc(x), 1), x"),
        class_("return mine.softmax(self.fc(x))"),
        class_(
            "a = self.net(x)", "return self.net(a)", init="self.net = nn.Sequential(nn.Linear(4, 4), nn.Softmax(1))"
        ),
        HEAD + "def build_model():\n    layers = [nn.Linear(4, 3), nn.Softmax(1)]\n    return nn.Sequential(*layers)\n",
        HEAD
        + "def build_model(deep=True):\n    if deep:\n        return nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))\n"
        "    return nn.Linear(4, 3)\n",
        "from mine import nn\n\ndef build_model():\n    return nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))\n",
    ],
)
def test_without_one_plain_place_there_is_no_diff(text: str) -> None:
    assert found("drop-final-activation", text) is None or "mine.softmax" in text


def test_a_model_in_another_file_is_followed_through_its_import() -> None:
    net = class_("return torch.softmax(self.fc(x), 1)")
    project = "from other import Net\n\n\ndef build_model():\n    model = Net()\n    return model\n"
    edit = found("drop-final-activation", project, net)
    assert edit is not None
    assert edit.file == "other.py"
    texts = replay({"project.py": project, "other.py": net}, edit.diff)
    assert texts == {"project.py": project, "other.py": class_("return self.fc(x)")}


def test_a_head_that_stands_in_two_places_is_left_alone() -> None:
    head = "class Head(nn.Module):\n    def forward(self, x):\n        return torch.softmax(x, 1)\n\n\n"
    one = class_("return self.head(self.fc(x))", init="self.fc = nn.Linear(4, 3)\nself.head = Head()")
    two = class_("return self.head(self.gate(x))", init="self.gate = Head()\nself.head = Head()")
    assert found("drop-final-activation", one.replace(HEAD, HEAD + head)) is not None
    assert found("drop-final-activation", two.replace(HEAD, HEAD + head)) is None


RELU = [
    (
        HEAD + "def build_model():\n    return nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3))\n",
        HEAD + "def build_model():\n    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), "
        "nn.Linear(8, 3))\n",
    ),
    (
        class_("return self.net(x)", init="self.net = nn.Sequential(\n    nn.Conv2d(1, 8, 3),\n    nn.BatchNorm2d(8),\n"
               "    nn.Flatten(),\n    nn.Linear(8, 3),\n)"),
        class_("return self.net(x)", init="self.net = nn.Sequential(\n    nn.Conv2d(1, 8, 3),\n    nn.BatchNorm2d(8),\n"
               "    nn.ReLU(),\n    nn.Flatten(),\n    nn.Linear(8, 3),\n)"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), RELU)
def test_a_missing_activation_is_put_between_the_layers_of_a_sequential(text: str, expected: str) -> None:
    assert after("insert-relu", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "def build_model():\n    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))\n",
        HEAD + "def build_model():\n    return nn.Sequential(nn.Linear(4, 8), Mine(), nn.Linear(8, 3))\n",
        class_("return self.fc(self.net(x))", init="self.net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))\n"
               "self.fc = nn.Linear(4, 3)"),
    ],
)  # fmt: skip
def test_no_activation_is_put_where_there_may_be_one(text: str) -> None:
    assert found("insert-relu", text) is None


REGISTERED = [
    ("self.layers = [nn.Linear(4, 4) for _ in range(3)]", "self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])"),
    ("self.layers = [nn.Linear(4, 4), nn.ReLU()]", "self.layers = nn.ModuleList([nn.Linear(4, 4), nn.ReLU()])"),
    ("self.layers = {'a': nn.Linear(4, 4)}", "self.layers = nn.ModuleDict({'a': nn.Linear(4, 4)})"),
    (
        "self.layers = []\nfor _ in range(3):\n    self.layers.append(nn.Linear(4, 4))",
        "self.layers = nn.ModuleList()\nfor _ in range(3):\n    self.layers.append(nn.Linear(4, 4))",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "expected"), REGISTERED)
def test_layers_in_a_plain_list_are_registered(given_: str, expected: str) -> None:
    assert after("register-layers", class_("return x", init=given_)) == class_("return x", init=expected)


@pytest.mark.parametrize(
    "init",
    [
        "self.layers = nn.ModuleList([nn.Linear(4, 4)])",
        "self.sizes = [4, 8]",
        "self.layers = [nn.Linear(4, 4), torch.zeros(3)]",
        "self.layers = []\nself.layers = [nn.Linear(4, 4)]",
    ],
)
def test_what_is_no_plain_list_of_layers_stays(init: str) -> None:
    assert found("register-layers", class_("return x", init=init)) is None


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("return F.dropout(self.fc(x), 0.5)", "return F.dropout(self.fc(x), 0.5, training=self.training)"),
        ("return F.dropout(self.fc(x), p=0.5,)", "return F.dropout(self.fc(x), p=0.5, training=self.training)"),
        ("return F.dropout(x, 0.5, training=True)", "return F.dropout(x, 0.5, training=self.training)"),
        ("return F.dropout(x, 0.5, training=self.training)", None),
        ("return F.dropout(x, 0.5, self.training)", None),
        ("return nn.functional.relu(x)", None),
    ],
)
def test_a_functional_dropout_is_tied_to_the_mode(given_: str, expected: str | None) -> None:
    assert after("dropout-by-mode", class_(given_)) == (None if expected is None else class_(expected))


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (("h = torch.relu(self.fc(x)).detach()", "return h"), ("h = torch.relu(self.fc(x))", "return h")),
        (("h = (x + 1).detach()", "return self.fc(h)"), ("h = (x + 1)", "return self.fc(h)")),
        (("a = x.detach()", "return self.fc(a) + self.fc(x).detach()"), None),
        (("a = x.detach()", "with torch.no_grad():", "    b = self.fc(a)", "return b"), None),
    ],
)
def test_the_one_cut_of_the_graph_is_taken_away(forward: tuple[str, ...], expected: tuple[str, ...] | None) -> None:
    assert after("keep-graph", class_(*forward)) == (None if expected is None else class_(*expected))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("model.head.parameters()", "model.parameters()"),
        ("list(model.net.head.parameters())", "list(model.parameters())"),
        ("model.parameters()", None),
        ("other.head.parameters()", None),
        ("[{'params': model.a.parameters()}, {'params': model.b.parameters()}]", "model.parameters()"),
        ("[{'params': model.a.parameters(), 'lr': 0.1}, {'params': model.b.parameters()}]", None),
        ("[*model.a.parameters(), *model.b.parameters()]", None),
    ],
)
def test_an_optimizer_of_one_part_gets_the_whole_model(given_: str, expected: str | None) -> None:
    text = HEAD + "def build_optimizer(model, lr, weight_decay):\n    return torch.optim.SGD({}, lr=lr)\n"
    assert after("all-parameters", text.format(given_)) == (None if expected is None else text.format(expected))


CLEAR = [
    (
        ("for x, y in batches:", "    loss = model(x).sum()", "    loss.backward()", "    optimizer.step()"),
        ("for x, y in batches:", "    loss = model(x).sum()", "    optimizer.zero_grad()", "    loss.backward()",
         "    optimizer.step()"),
    ),
    (  # between the two: moved, with its comment
        ("for x in batches:", "    model(x).sum().backward()", "    optimizer.zero_grad()  # here?", "    optimizer.step()"),
        ("for x in batches:", "    optimizer.zero_grad()  # here?", "    model(x).sum().backward()", "    optimizer.step()"),
    ),
    (  # once an epoch
        ("optimizer.zero_grad()", "for x in batches:", "    model(x).sum().backward()", "    optimizer.step()"),
        ("for x in batches:", "    optimizer.zero_grad()", "    model(x).sum().backward()", "    optimizer.step()"),
    ),
    (  # batches that accumulate: behind the step
        ("for i, x in enumerate(batches):", "    model(x).sum().backward()", "    if (i + 1) % 4 == 0:",
         "        optimizer.step()"),
        ("for i, x in enumerate(batches):", "    model(x).sum().backward()", "    if (i + 1) % 4 == 0:",
         "        optimizer.step()", "        optimizer.zero_grad()"),
    ),
    (("for x in batches:", "    optimizer.zero_grad()", "    model(x).sum().backward()", "    optimizer.step()"), None),
    (  # two statements in one line
        ("for x in batches:", "    model(x).sum().backward(); optimizer.step()"),
        ("for x in batches:", "    optimizer.zero_grad()", "    model(x).sum().backward(); optimizer.step()"),
    ),
    (("for x in batches:", "    y = model(x).sum(); y.backward(); optimizer.step()"), None),
    (("for x in batches:", "    for p in model.parameters():", "        p.grad = None", "    model(x).sum().backward()",
      "    optimizer.step()"), None),
    (("for x in batches:", "    train_step(model, optimizer, x)"), None),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), CLEAR)
def test_gradients_are_cleared_before_the_backward_pass(
    lines: tuple[str, ...], expected: tuple[str, ...] | None
) -> None:
    assert after("clear-gradients", function(*lines)) == (None if expected is None else function(*expected))


STEPPED = [
    (
        ("for x in batches:", "    optimizer.zero_grad()", "    model(x).sum().backward()"),
        ("for x in batches:", "    optimizer.zero_grad()", "    model(x).sum().backward()", "    optimizer.step()"),
    ),
    (
        ("for x in batches:", "    model.zero_grad()", "    model(x).sum().backward()",
         "    nn.utils.clip_grad_norm_(model.parameters(), 1)", "    print(1)"),
        ("for x in batches:", "    model.zero_grad()", "    model(x).sum().backward()",
         "    nn.utils.clip_grad_norm_(model.parameters(), 1)", "    optimizer.step()", "    print(1)"),
    ),
    (  # batches that accumulate: before their gradients are cleared
        ("for i, x in enumerate(batches):", "    model(x).sum().backward()", "    if (i + 1) % 4 == 0:",
         "        optimizer.zero_grad()"),
        ("for i, x in enumerate(batches):", "    model(x).sum().backward()", "    if (i + 1) % 4 == 0:",
         "        optimizer.step()", "        optimizer.zero_grad()"),
    ),
    (("for x in batches:", "    model(x).sum().backward()"), None),
    (("for x in batches:", "    optimizer.zero_grad()", "    scaler.scale(model(x).sum()).backward()"), None),
    (("for x in batches:", "    model(x).sum().backward()", "    optimizer.step()"), None),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), STEPPED)
def test_a_missing_step_is_put_behind_backward_and_clipping(
    lines: tuple[str, ...], expected: tuple[str, ...] | None
) -> None:
    assert after("step-optimizer", function(*lines)) == (None if expected is None else function(*expected))


def test_a_schedule_steps_after_the_optimizer() -> None:
    lines = (
        "for x in batches:",
        "    model(x).sum().backward()",
        "    scheduler.step()",
        "    optimizer.step()",
        "    y = 1",
    )
    right = (*lines[:2], lines[3], lines[2], lines[4])
    assert after("schedule-after-step", function(*lines)) == function(*right)
    assert after("schedule-after-step", function(*right)) is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (('"""Train."""', "for x in batches:", "    model(x).backward()"),
         ('"""Train."""', "model.train()", "for x in batches:", "    model(x).backward()")),
        (("model.eval()", "for x in batches:", "    model(x).backward()"),
         ("model.train()", "for x in batches:", "    model(x).backward()")),
        (("model.train()", "for x in batches:", "    model(x).backward()"), None),
        (("for x in batches:", "    model(x).backward()", "model.eval()"), None),
    ],
)  # fmt: skip
def test_the_loop_begins_in_train_mode(lines: tuple[str, ...], expected: tuple[str, ...] | None) -> None:
    assert after("train-mode", function(*lines)) == (None if expected is None else function(*expected))


EVALUATE = "\n\n@torch.no_grad()\ndef evaluate(net, batches):\n    return {'loss': 0.0}\n"


def test_evaluate_switches_to_eval_mode_and_the_loop_back() -> None:
    lines = ("for x in batches:", "    model(x).backward()")
    mended = EVALUATE.replace("    return", "    net.eval()\n    return")
    assert after("eval-mode", function(*lines) + EVALUATE) == function("model.train()", *lines) + mended
    assert (
        after("eval-mode", function("model.train()", *lines) + EVALUATE) == function("model.train()", *lines) + mended
    )
    assert after("eval-mode", function(*lines) + mended) is None
    wrong = mended.replace("net.eval()", "net.train()")
    assert after("eval-mode", function("model.train()", *lines) + wrong) == function("model.train()", *lines) + mended
    assert after("eval-mode", function("for x in batches:", "    epoch(model, x)") + EVALUATE) is None
    late = EVALUATE.replace("    return", "    print(net)\n    net.train()\n    return")
    assert after("eval-mode", function("model.train()", *lines) + late) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("total += loss", "total += loss.item()"),
        ("total = total + loss", "total = total + loss.item()"),
        ("total += loss * len(x)", "total += loss.item() * len(x)"),
        ("losses.append(loss)", "losses.append(loss.item())"),
        ("total += loss.item()", None),
        ("total += loss.detach() * 2", None),
        ("total += float(loss)", None),
        ("loss = loss", None),
    ],
)
def test_numbers_are_kept_and_not_graphs(line: str, expected: str | None) -> None:
    lines = (
        "for x in batches:",
        "    loss = model(x).sum()",
        "    loss.backward()",
        "    optimizer.step()",
        f"    {line}",
    )
    mended = None if expected is None else function(*lines[:-1], f"    {expected}")
    assert after("keep-numbers", function(*lines)) == mended


def test_what_is_the_loss_itself_is_no_sum_for_reading() -> None:
    lines = ("for x in batches:", "    total = 0", "    for part in x:", "        loss = model(part).sum()",
             "        total += loss", "    total.backward()", "    optimizer.step()")  # fmt: skip
    assert found("keep-numbers", function(*lines)) is None


@pytest.mark.parametrize(
    ("guard", "given_", "expected"),
    [
        ("if (i + 1) % 4 == 0:", "loss.backward()", "(loss / 4).backward()"),
        ("if i % every == 0:", "loss.backward()", "(loss / every).backward()"),
        ("if (i + 1) % every == 0 or i + 1 == count:", "loss.backward()", "(loss / every).backward()"),
        ("if (i + 1) % 4 == 0:", "(loss / 4).backward()", None),
        ("if i > 3:", "loss.backward()", None),
    ],
)
def test_accumulated_losses_are_divided(guard: str, given_: str, expected: str | None) -> None:
    lines = (
        "for i, x in enumerate(batches):",
        "    loss = model(x).sum()",
        "    {}",
        f"    {guard}",
        "        optimizer.step()",
    )
    before, mended = ("\n".join(lines).format(line).split("\n") for line in (given_, expected))
    assert after("divide-loss", function(*before)) == (None if expected is None else function(*mended))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [("(-loss).backward()", "loss.backward()"), ("(-model(x).sum()).backward()", "(model(x).sum()).backward()"),
     ("loss.backward()", None)],
)  # fmt: skip
def test_a_negated_loss_loses_its_sign(given_: str, expected: str | None) -> None:
    lines = ("for x in batches:", "    loss = model(x).sum()")
    mended = None if expected is None else function(*lines, f"    {expected}")
    assert after("descend", function(*lines, f"    {given_}")) == mended


def test_gradients_are_clipped_before_the_step() -> None:
    clip = "    nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # often"
    head, backward, step = "for x in batches:", "    model(x).sum().backward()", "    optimizer.step()"
    right = function(head, backward, clip, step)
    assert after("clip-before-step", function(head, backward, step, clip)) == right
    assert after("clip-before-step", function(head, clip, backward, step)) == right
    assert after("clip-before-step", right) is None


def test_a_loss_of_the_wrong_sign_is_turned() -> None:
    text = HEAD + "def loss(output, target):\n    return {}F.cross_entropy(output, target)\n"
    assert after("turn-sign", text.format("-")) == text.format("")
    assert after("turn-sign", text.format("")) is None
    assert after("turn-sign", text.format("0 - ")) is None


@pytest.mark.parametrize("content", [b"def train(:\n", b"\xff\xfe", b"", b"x = (" * 5000, "é = 1\n".encode("latin-1")])
def test_a_file_that_cannot_be_read_has_no_edits_and_does_no_harm(content: bytes) -> None:
    assert edits.possible(spec(), {"project.py": content, "data.bin": b"\0"}) == ()


def test_live_objects_have_no_source_to_change() -> None:
    live = make.spec(model=Factory(factory="notebook:live"), loop="notebook:live")
    assert edits.possible(live, {}) == ()


PLAIN = [text for text, _ in FINAL] + [text for text, _ in RELU] + [function(*lines) for lines, new in CLEAR if new]
LINES = st.sampled_from(["# ünïcödé comment", "", "π = 'ß' ; τ = 2", "'''a\nb'''", "class Other: pass"])


@given(text=st.sampled_from(PLAIN), above=st.lists(LINES, max_size=4), below=st.lists(LINES, max_size=3), end=st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_whatever_stands_round_it_the_diff_changes_its_own_lines_alone(
    text: str, above: list[str], below: list[str], end: str
) -> None:
    around = ["\n".join(lines).splitlines() for lines in (above, below)]
    whole = "\n".join([*around[0], *text.splitlines(), *around[1]]) + "\n"
    alone = {edit.name: edit.diff for edit in edits.possible(spec(), {"project.py": text.encode()})}
    found_ = edits.possible(spec(), {"project.py": whole.replace("\n", end).encode()})
    assert {edit.name for edit in found_} == set(alone)
    for edit in found_:
        mended = replay({"project.py": text}, alone[edit.name])["project.py"]
        lines = replay({"project.py": whole}, edit.diff)["project.py"]
        assert lines.splitlines() == [*around[0], *mended.splitlines(), *around[1]]
        ast.parse(lines)
