"""Ten-line models whose answer is known."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.spec.fields import Task
from diagnoser.training.probes import model as probe_of_model
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, FEATURES, workload

Model = TypeVar("Model", bound=nn.Module)
VOCABULARY, LENGTH = 11, 8


def measured(model: Callable[[], nn.Module], *, max_seconds: float | None = None, **settings: Any) -> ModelProfile:
    return probe_of_model.measure(
        workload(model=model, **settings), Probe(probe=ProbeKind.MODEL, max_seconds=max_seconds)
    )


def layer(profile: ModelProfile, path: str) -> LayerProfile:
    return next(one for one in profile.layers if one.path == path)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def whole(high: int, *shape: int) -> Tensor:
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(sum(shape)))


def pictures() -> Any:
    return (normal(200, 1, 8, 8), whole(CLASSES, 200)), (normal(60, 1, 8, 8), whole(CLASSES, 60))


def texts() -> Any:
    def split(rows: int) -> tuple[Tensor, Tensor]:
        text = whole(VOCABULARY, rows, LENGTH + 1)
        return text[:, :-1].clone(), text[:, 1:].clone()

    return split(96), split(32)


def numbers() -> Any:
    return (normal(128, FEATURES), normal(128, 1)), (normal(40, FEATURES), normal(40, 1))


class Functional(nn.Module):
    """Two layers with functions in between: `between` and `end` are what a test asks for."""

    def __init__(
        self,
        between: Callable[[Tensor], Tensor] = torch.relu,
        end: Callable[[Tensor], Tensor] = lambda x: x,
        out: int = CLASSES,
    ) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, 16), nn.Linear(16, out)
        self.between, self.end = between, end

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.end(self.last(self.between(self.first(x))))
        return out


class Pictures(nn.Module):
    """A healthy network with a residual connection, normalisation and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.drop, self.head = nn.Conv2d(8, 8, 3, padding=1), nn.Dropout(0.2), nn.Linear(8 * 16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv1(x))), 2)
        x = x + torch.relu(self.conv2(x))
        out: Tensor = self.head(self.drop(x.flatten(1)))
        return out


class Attention(nn.Module):
    """One block; `causal` hides later tokens, `positions` tells the order."""

    def __init__(self, *, causal: bool = True, positions: bool = True) -> None:
        super().__init__()
        self.causal = causal
        self.tokens, self.places = nn.Embedding(VOCABULARY, 16), nn.Embedding(LENGTH, 16) if positions else None
        self.qkv, self.out, self.head = nn.Linear(16, 48), nn.Linear(16, 16), nn.Linear(16, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens)
        if self.places is not None:
            x = x + self.places(torch.arange(tokens.shape[1], device=tokens.device))
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / 4
        if self.causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), float("-inf"))
        out: Tensor = self.head(x + self.out(scores.softmax(-1) @ v))
        return out


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.lstm = nn.Embedding(VOCABULARY, 12), nn.LSTM(12, 16, batch_first=True)
        self.head = nn.Linear(16, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.head(self.lstm(self.tokens(tokens))[0])
        return out


# --------------------------------------------------------------------------------------------------------- the healthy


def test_a_healthy_network_for_pictures_shows_nothing_unusual() -> None:
    seen = measured(Pictures, data=pictures())
    assert seen.unanswered == ()
    assert [one.path for one in seen.layers] == ["conv1", "norm", "conv2", "drop", "head"]
    assert seen.weight_layers == 3
    assert (seen.affine, seen.inputs_ignored, seen.samples_mixed) == (False, False, False)
    assert not (seen.stochastic_in_eval)
    assert not (seen.stochastic_with_fixed_seed)
    assert not (seen.shares_storage_between_calls)
    assert (seen.equal_for_different_seeds, seen.unregistered, seen.unused, seen.grad_free_before) == (
        False,
        (),
        (),
        None,
    )
    assert (seen.eval_mode_from_factory, seen.first_forward_non_finite) == ((), None)
    assert all((one.unit_gradient_similarity or 0.0) < 0.1 for one in seen.layers)
    assert seen.output is not None
    assert seen.output.final_operation == "Linear"
    assert not (seen.output.rows_sum_to_one)
    assert not (seen.output.within_unit_interval)
    assert not (seen.output.never_negative)
    assert (seen.output.lower_bound, seen.output.upper_bound) == (None, None)


def test_layers_say_what_follows_them_and_how_the_signal_passes() -> None:
    seen = measured(Pictures, data=pictures(), batch_size=20)
    conv1, norm, head = layer(seen, "conv1"), layer(seen, "norm"), layer(seen, "head")
    assert (conv1.activation, layer(seen, "conv2").activation, head.activation) == ("relu", "relu", "none")
    assert (conv1.hidden, head.hidden) == (True, False)
    assert conv1.dead_share is not None
    assert 0.0 <= conv1.dead_share < 0.5
    assert norm.output_std == pytest.approx(1.0, rel=0.05)
    assert norm.values_per_channel == 20 * 64
    assert not conv1.bias_feeds_norm  # it has no bias
    assert (norm.momentum, norm.eps, layer(seen, "drop").dropout) == (0.1, 1e-5, 0.2)
    assert min(one.gradient_norm for one in (conv1, norm, head) if one.gradient_norm is not None) > 0


def test_modules_and_functions_are_seen_alike() -> None:
    modules = measured(
        lambda: nn.Sequential(nn.Linear(FEATURES, 16), nn.Sigmoid(), nn.Linear(16, CLASSES), nn.Softmax(1))
    )
    functions = measured(lambda: Functional(Tensor.sigmoid, lambda x: F.softmax(x, dim=1)))
    assert [layer(modules, path).activation for path in ("0", "2")] == ["sigmoid", "softmax"]
    assert [layer(functions, path).activation for path in ("first", "last")] == ["sigmoid", "softmax"]
    assert [layer(modules, path).hidden for path in ("0", "1", "2", "3")] == [True, True, False, False]
    assert [layer(functions, path).hidden for path in ("first", "last")] == [True, False]
    assert modules.output is not None
    assert functions.output is not None
    assert modules.output.final_operation == "Softmax"
    assert functions.output.final_operation == "softmax"


# --------------------------------------------------------------------------------------------------------- the outputs


def test_a_softmax_at_the_end_is_seen_by_its_sums() -> None:
    output = measured(lambda: Functional(end=lambda x: torch.softmax(x, 1))).output
    assert output is not None
    assert output.rows_sum_to_one
    assert output.within_unit_interval
    assert not output.columns_sum_to_one
    assert (output.lower_bound, output.upper_bound) == (0.0, 1.0)


def test_a_softmax_over_the_batch_sums_along_the_wrong_axis_and_mixes_samples() -> None:
    seen = measured(lambda: Functional(end=lambda x: torch.softmax(x, 0)))
    assert seen.output is not None
    assert seen.output.columns_sum_to_one
    assert not seen.output.rows_sum_to_one
    assert seen.samples_mixed


def test_a_softmax_over_one_unit_is_a_constant() -> None:
    seen = measured(
        lambda: Functional(end=lambda x: torch.softmax(x, 1), out=1),
        data=numbers(),
        loss="mse_loss",
        task=Task.REGRESSION,
    )
    assert seen.output is not None
    assert seen.output.constant_one
    assert set(seen.unused) == {"first.weight", "first.bias", "last.weight", "last.bias"}


@pytest.mark.parametrize(
    ("end", "operation", "bounds", "missed"),
    [
        (torch.sigmoid, "sigmoid", (0.0, 1.0), 0.6),
        (torch.relu, "relu", (0.0, None), 0.3),
        (lambda x: torch.tanh(x).squeeze(-1).unsqueeze(-1), "tanh", (-1.0, 1.0), 0.2),
        (lambda x: 3 * torch.sigmoid(x), "mul", (None, None), None),
    ],
)
def test_the_range_of_a_bounded_output_is_compared_with_the_targets(
    end: Callable[[Tensor], Tensor], operation: str, bounds: tuple[float | None, float | None], missed: float | None
) -> None:
    seen = measured(lambda: Functional(end=end, out=1), data=numbers(), loss="mse_loss", task=Task.REGRESSION)
    assert seen.output is not None
    assert seen.output.final_operation.strip("_") in (operation, "__rmul__")
    assert (seen.output.lower_bound, seen.output.upper_bound) == bounds
    if missed is None:
        assert seen.output.targets_out_of_range_share is None
    else:
        assert seen.output.targets_out_of_range_share is not None
        assert seen.output.targets_out_of_range_share > missed


def test_class_targets_are_no_values_that_an_output_must_reach() -> None:
    output = measured(lambda: Functional(end=torch.sigmoid)).output
    assert output is not None
    assert output.within_unit_interval
    assert output.targets_out_of_range_share is None


# ------------------------------------------------------------------------------------------- what outputs depend on


def test_an_input_that_is_not_wired_in_is_seen() -> None:
    assert measured(lambda: Functional(lambda h: torch.relu(h * 0))).inputs_ignored is True


def test_rows_that_influence_one_another_in_eval_mode_are_seen() -> None:
    assert measured(lambda: Functional(lambda h: torch.relu(h - h.mean(0)))).samples_mixed is True
    assert measured(lambda: Functional(lambda h: torch.relu(h - h.mean(1, keepdim=True)))).samples_mixed is False


def test_two_layers_with_nothing_between_are_affine() -> None:
    seen = measured(lambda: Functional(lambda h: h))
    assert seen.affine is True
    assert (layer(seen, "first").activation, layer(seen, "first").hidden) == ("none", True)
    assert measured(lambda: Functional(torch.tanh)).affine is False


@pytest.mark.parametrize("causal", [True, False])
def test_later_tokens_are_hidden_only_by_a_causal_mask(causal: bool) -> None:
    seen = measured(lambda: Attention(causal=causal), data=texts(), task=Task.LANGUAGE_MODEL)
    assert seen.future_visible is (not causal)
    assert seen.order_ignored is False
    assert seen.attention
    assert not seen.recurrent
    assert layer(seen, "head").hidden is False
    assert layer(seen, "qkv").hidden is True


def test_attention_without_positions_ignores_the_order() -> None:
    seen = measured(lambda: Attention(causal=False, positions=False), data=texts(), task=Task.LANGUAGE_MODEL)
    assert seen.order_ignored is True


@pytest.mark.parametrize("placed", [True, False])
def test_of_two_texts_each_is_asked_whether_its_order_counts(placed: bool) -> None:
    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.source, self.so_far = nn.Embedding(9, 8), nn.Embedding(9, 8)
            self.place, self.body, self.head = (
                nn.Parameter(torch.randn(6, 8)),
                nn.GRU(8, 8, batch_first=True),
                nn.Linear(8, 9),
            )

        def forward(self, source: Tensor, so_far: Tensor) -> Tensor:
            read = torch.tanh(self.source(source) + self.place * placed).mean(1, keepdim=True)
            out: Tensor = self.head(self.body(self.so_far(so_far))[0] + read)
            return out

    class Pairs(Dataset[Any]):
        source = torch.randint(9, (40, 6), generator=torch.Generator().manual_seed(1))
        target = torch.randint(9, (40, 6), generator=torch.Generator().manual_seed(2))

        def __len__(self) -> int:
            return len(self.source)

        def __getitem__(self, index: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
            return (self.source[index], self.target[index].roll(1)), self.target[index]

    seen = measured(Translator, data=(Pairs(), Pairs()), task=Task.LANGUAGE_MODEL)
    assert (seen.order_ignored, seen.other_order_ignored) == (False, not placed)


def test_a_recurrent_language_model_shows_nothing_unusual() -> None:
    seen = measured(Recurrent, data=texts(), task=Task.LANGUAGE_MODEL)
    assert (seen.future_visible, seen.order_ignored, seen.samples_mixed, seen.inputs_ignored) == (False,) * 4
    assert seen.recurrent
    assert (seen.affine, seen.unused) == (None, ())
    assert layer(seen, "lstm").activation == "tanh"


def test_a_recurrent_layer_that_takes_rows_for_time_mixes_samples() -> None:
    class Turned(Recurrent):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(12, 16)

    assert measured(Turned, data=texts(), task=Task.LANGUAGE_MODEL).samples_mixed is True


def test_dropout_that_ignores_the_mode_is_told_from_chance_that_no_seed_fixes() -> None:
    dropping = measured(lambda: Functional(lambda h: F.dropout(torch.relu(h), 0.5)))
    assert (dropping.stochastic_in_eval, dropping.stochastic_with_fixed_seed) == (True, False)
    own = torch.Generator().manual_seed(0)
    drawing = measured(lambda: Functional(lambda h: torch.relu(h + torch.randn(h.shape, generator=own))))
    assert drawing.stochastic_with_fixed_seed
    assert drawing.samples_mixed is None


# --------------------------------------------------------------------------------------------- weights and gradients


def constant(model: Model, *, bias: bool) -> Model:
    for name, weight in model.named_parameters():
        if bias or name.endswith("weight"):
            nn.init.constant_(weight, 0.05)
    return model


@pytest.mark.parametrize("bias", [True, False])
def test_equal_units_are_seen_also_with_biases_of_their_own(bias: bool) -> None:
    seen = measured(lambda: constant(Functional(torch.relu), bias=bias))
    assert (layer(seen, "first").unit_gradient_similarity or 0.0) >= 0.5
    assert layer(seen, "last").unit_gradient_similarity is None
    assert seen.equal_for_different_seeds is bias


def test_equal_filters_are_seen() -> None:
    def build() -> nn.Module:
        model = constant(Pictures(), bias=True)
        model.drop.p = 0.0  # its masks would tell the filters apart
        return model

    seen = measured(build, data=pictures())
    assert [layer(seen, path).unit_gradient_similarity for path in ("conv1", "conv2", "head")] == [1.0, 1.0, None]


def zeroed(model: Model) -> Model:
    for weight in model.parameters():
        nn.init.zeros_(weight)
    return model


def test_a_network_of_zeros_holds_nothing_but_copies() -> None:
    seen = measured(lambda: zeroed(Functional(torch.relu)))
    assert [layer.unit_gradient_similarity for layer in seen.layers if layer.hidden and layer.weight_norm == 0][:1] == [
        1.0
    ]


class OwnSwish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return gradients[0] * (s + x * s * (1 - s))


@pytest.mark.parametrize(
    "between",
    [lambda x: x * torch.sigmoid(x), OwnSwish.apply, lambda x: torch.tanh(x) * torch.sigmoid(x)],
    ids=["swish", "of a function of one's own", "a cell's"],
)
def test_a_sigmoid_that_is_multiplied_with_what_depends_on_the_input_is_a_gate(between: Any) -> None:
    assert layer(measured(lambda: Functional(between)), "first").activation == "other"


def test_a_sigmoid_times_a_number_is_an_activation() -> None:
    assert layer(measured(lambda: Functional(lambda x: 3 * torch.sigmoid(x))), "first").activation == "sigmoid"


def test_equal_units_that_no_gradient_reaches_are_copies_all_the_same() -> None:
    def dead() -> nn.Module:
        model = constant(Functional(torch.relu), bias=False)
        nn.init.constant_(model.first.bias, -100.0)
        return model

    def apart() -> nn.Module:
        model = Functional(torch.relu)
        nn.init.constant_(model.first.bias, -100.0)
        return model

    assert layer(measured(dead), "first").unit_gradient_similarity == 1.0
    assert layer(measured(apart), "first").unit_gradient_similarity == 0.0


def test_parallel_gradients_alone_are_no_symmetry() -> None:
    class OneInput(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, CLASSES))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.net(x[:, :1] + 50)
            return out

    assert (layer(measured(OneInput), "net.0").unit_gradient_similarity or 0.0) < 0.2


def test_a_last_layer_that_starts_at_zero_hides_no_gradient() -> None:
    def zeroed() -> nn.Module:
        model = Functional(torch.relu)
        nn.init.zeros_(model.last.weight)
        return model

    seen = measured(zeroed)
    assert seen.unused == ()
    assert (layer(seen, "first").unit_gradient_similarity or 0.0) < 0.2


def test_dead_and_saturated_units_are_counted() -> None:
    def shifted(between: Callable[[Tensor], Tensor], shift: float) -> Callable[[], nn.Module]:
        def build() -> nn.Module:
            model = Functional(between)
            nn.init.constant_(model.first.bias, shift)
            return model

        return build

    dead = measured(shifted(torch.relu, -100.0))
    assert layer(dead, "first").dead_share == 1.0
    assert layer(measured(shifted(torch.sigmoid, 30.0)), "first").saturated_share == 1.0
    assert (layer(measured(shifted(torch.tanh, 0.0)), "first").saturated_share or 0.0) < 0.5


def test_modules_in_a_list_are_named() -> None:
    class Hidden(Functional):
        def __init__(self) -> None:
            super().__init__()
            self.extra = [nn.Linear(16, 16), nn.ReLU()]
            self.names = ["no", "modules"]
            self.teacher = {"frozen": nn.Linear(2, 2).requires_grad_(False)}

        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(self.first(x))
            for module in self.extra:
                h = module(h)
            out: Tensor = self.last(h)
            return out

    seen = measured(Hidden)
    assert seen.unregistered == ("extra",)


def test_unused_parameters_are_named_with_their_share() -> None:
    class Spare(Functional):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Linear(FEATURES, 16)

    seen = measured(Spare)
    assert seen.unused == ("spare.weight", "spare.bias")
    assert seen.unused_share == pytest.approx(144 / (144 + 144 + 68))
    assert seen.layers[-1].path == "spare"
    assert seen.layers[-1].output_std is None


def test_a_detached_part_is_named_by_what_follows_it() -> None:
    seen = measured(lambda: Functional(lambda h: torch.relu(h).detach()))
    assert seen.grad_free_before == "last"
    assert set(seen.unused) == {"first.weight", "first.bias"}


def test_a_loss_without_any_gradient_is_named() -> None:
    seen = measured(lambda: Functional(end=lambda x: x.detach()))
    assert seen.grad_free_before == "the loss"


def test_frozen_parameters_are_random_or_not() -> None:
    def frozen(seed: int | None) -> Callable[[], nn.Module]:
        def build() -> nn.Module:
            model = Functional(torch.relu)
            if seed is not None:
                with torch.no_grad():
                    model.first.weight.copy_(normal(16, FEATURES))
                    model.first.bias.zero_()
            model.first.requires_grad_(False)
            return model

        return build

    assert measured(frozen(None)).frozen_are_random_share == 1.0
    pretrained = measured(frozen(1))
    assert pretrained.frozen_are_random_share == 0.0
    assert (pretrained.frozen_parameters, pretrained.random_share_outside_head) == (144, 0.0)
    assert pretrained.grad_free_before is None


def test_an_identity_and_a_constant_are_not_taken_for_pretrained_weights() -> None:
    """As in a recurrent net that starts as the identity: the same in each build, and nobody learned it."""

    def build() -> nn.Module:
        model = Functional(torch.relu)
        nn.init.eye_(model.first.weight)
        nn.init.zeros_(model.first.bias)
        return model

    assert measured(build).random_share_outside_head is None


def test_a_factory_that_hands_out_one_model_is_seen_and_its_model_left_alone() -> None:
    model = Functional(torch.relu)
    before = [weight.detach().clone() for weight in model.parameters()]
    seen = measured(lambda: model)
    assert seen.shares_storage_between_calls
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


def test_modules_in_eval_mode_from_the_factory_are_named() -> None:
    assert measured(lambda: Pictures().eval(), data=pictures()).eval_mode_from_factory == ("norm", "drop")


def test_the_first_layer_that_is_not_finite_is_named() -> None:
    def broken() -> nn.Module:
        model = Functional(torch.relu)
        nn.init.constant_(model.last.bias, float("nan"))
        return model

    seen = measured(broken)
    assert seen.first_forward_non_finite == "last"


def test_a_bias_before_batch_norm_is_seen() -> None:
    def model() -> nn.Module:
        return nn.Sequential(
            nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES)
        )

    seen = measured(model)
    assert [one.path for one in seen.layers if one.bias_feeds_norm] == ["1"]
    assert seen.starts_with_normalisation


# ------------------------------------------------------------------------------------------------------ odd models


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.mix = nn.Embedding(VOCABULARY, 16), nn.GRU(16, 16, batch_first=True)
        self.head = nn.Linear(16, VOCABULARY, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.head(self.mix(self.tokens(tokens))[0])
        return out


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class Inplace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, 16), nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> dict[str, Any]:
        x.mul_(0.5)
        return {"logits": self.last(F.relu(self.first(x), inplace=True)), "hidden": None}


def test_tied_lazy_and_in_place_models_are_measured() -> None:
    tied = measured(Tied, data=texts(), task=Task.LANGUAGE_MODEL)
    assert (tied.future_visible, tied.unused, tied.unanswered) == (False, (), ())
    lazy = measured(Lazy)
    assert lazy.weight_layers == 2
    inplace = measured(Inplace, loss=None, task=None)
    assert inplace.output is not None
    assert layer(inplace, "first").activation == "relu"
    assert inplace.inputs_ignored is False


def test_several_inputs_in_a_dict_are_measured() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right, self.head = nn.Linear(3, 8), nn.Embedding(5, 8), nn.Linear(8, 2)

        def forward(self, numbers: Tensor, kind: Tensor) -> Tensor:
            out: Tensor = self.head(torch.relu(self.left(numbers) + self.right(kind)))
            return out

    class Rows(torch.utils.data.Dataset[dict[str, Tensor]]):
        def __len__(self) -> int:
            return 64

        def __getitem__(self, index: int) -> dict[str, Tensor]:
            generator = torch.Generator().manual_seed(index)
            return {
                "numbers": torch.randn(3, generator=generator),
                "kind": torch.tensor(index % 5),
                "labels": torch.tensor(index % 2),
            }

    seen = measured(Two, data=(Rows(), Rows()), task=None)
    assert (seen.inputs_ignored, seen.samples_mixed, seen.unused) == (False, False, ())


def test_a_layer_of_the_users_own_is_a_weight_layer() -> None:
    class Own(nn.Module):
        def __init__(self, given: int, made: int) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.full((made, given), 0.1)), nn.Parameter(torch.zeros(made))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.weight.t() + self.bias

    seen = measured(lambda: nn.Sequential(Own(FEATURES, 16), nn.Tanh(), Own(16, CLASSES)))
    assert seen.weight_layers == 2
    assert (layer(seen, "0").activation, layer(seen, "0").unit_gradient_similarity) == ("tanh", 1.0)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_scripted_model_is_measured_from_outside() -> None:
    seen = measured(lambda: torch.jit.script(nn.Sequential(nn.Linear(FEATURES, CLASSES))))
    assert (seen.inputs_ignored, seen.samples_mixed) == (False, False)


def test_a_step_of_the_users_leaves_open_what_only_outputs_tell() -> None:
    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(batch[0]), batch[1])

    seen = measured(lambda: Functional(torch.relu), step=step, loss=None, task=None)
    assert seen.weight_layers == 2
    assert layer(seen, "first").gradient_norm is not None


def test_labels_that_the_loss_refuses_leave_the_layers_to_be_seen() -> None:
    x, y = normal(64, FEATURES), whole(CLASSES, 64) + 1
    seen = measured(lambda: Functional(torch.relu), data=((x, y), (x, y)))
    assert layer(seen, "first").output_std is not None
    assert any("gradients" in line for line in seen.unanswered)
    assert seen.output is not None


def test_no_time_leaves_questions_open_and_says_so() -> None:
    seen = measured(lambda: Functional(torch.relu), max_seconds=0.0)
    assert [one.path for one in seen.layers] == ["first", "last"]
    assert (seen.inputs_ignored, seen.samples_mixed, seen.output) == (None, None, None)
    assert any("no time was left" in line for line in seen.unanswered)


@pytest.mark.parametrize("causal", [True, False])
def test_a_translator_may_read_its_whole_source_and_not_its_own_answer(causal: bool) -> None:
    class Translator(Attention):
        """The mean of the source is added to each position of the answer."""

        def forward(self, source: Tensor, so_far: Tensor) -> Tensor:  # type: ignore[override]  # two texts
            return super().forward(so_far) + self.head(self.tokens(source).mean(1, keepdim=True))

    (x, _), _ = texts()
    target = x.flip(1)
    so_far = torch.cat([torch.zeros_like(target[:, :1]), target[:, :-1]], dim=1)
    data = (TensorDataset(x, so_far, target),) * 2
    seen = measured(lambda: Translator(causal=causal), data=data, task=Task.LANGUAGE_MODEL)
    assert seen.future_visible is (not causal)
