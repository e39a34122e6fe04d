"""Does each transform change what it says, and say so when there is nothing to change?"""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.spec.fields import Optimizer
from diagnoser.training import transforms
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Outcome, Transform
from tests.helpers.training import classes, loaded, net, numbers, ran, two


def changed(model: Any, transform: Transform, data: Any = None, **given: Any) -> nn.Module:
    workload = loaded(model, data or two(), **{"loss": "cross_entropy", **given})
    return transforms.apply(workload.build_model(seed=0), workload, (transform,))


class Functional(nn.Module):
    """The same network written with functions."""

    def __init__(self, hidden: Any = torch.sigmoid, end: Any = None) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 16), nn.Linear(16, 3)
        self.hidden, self.end = hidden, end

    def forward(self, x: Tensor) -> Any:
        x = self.second(self.hidden(self.first(x)))
        return x if self.end is None else self.end(x)


X = classes(8)[0]


def test_zero_last_layer_answers_zero() -> None:
    model = changed(net, Transform.ZERO_LAST_LAYER)
    assert torch.equal(model(X), torch.zeros(8, 3))
    assert float(next(model.parameters()).detach().abs().sum()) > 0


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.Sigmoid(), nn.ReLU(), nn.Tanh()])
def test_a_final_activation_is_removed(end: nn.Module) -> None:
    model = changed(lambda: nn.Sequential(net(), end), Transform.REMOVE_FINAL_ACTIVATION)
    assert float(model(X).detach().min()) < 0
    assert isinstance(model[1], nn.Identity)  # type: ignore[index]


@pytest.mark.parametrize(
    "end", [lambda x: F.softmax(x, dim=1), torch.sigmoid, F.relu, lambda x: x.tanh(), lambda x: x.softmax(-1)]
)
def test_a_final_function_is_removed_too(end: Any) -> None:
    model = changed(lambda: Functional(hidden=F.relu, end=end), Transform.REMOVE_FINAL_ACTIVATION)
    torch.manual_seed(0)
    plain = Functional(hidden=F.relu)
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model(X), plain(X))


def test_a_module_used_twice_is_removed_only_at_the_end() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.act = nn.Linear(4, 16), nn.Linear(16, 3), nn.Sigmoid()

        def forward(self, x: Tensor) -> Any:
            return self.act(self.second(self.act(self.first(x))))

    model = changed(Twice, Transform.REMOVE_FINAL_ACTIVATION)
    assert torch.equal(model(X), model.second(torch.sigmoid(model.first(X))))  # type: ignore[operator]


def test_hidden_sigmoids_become_relus_and_the_last_one_stays() -> None:
    modules = changed(
        lambda: nn.Sequential(nn.Linear(4, 16), nn.Sigmoid(), nn.Linear(16, 3), nn.Sigmoid()),
        Transform.RELU_ACTIVATIONS,
    )
    assert [type(m).__name__ for m in modules.children()] == ["Linear", "ReLU", "Linear", "Sigmoid"]
    for hidden in (torch.sigmoid, torch.tanh, lambda x: x.sigmoid()):
        model = changed(lambda hidden=hidden: Functional(hidden=hidden, end=torch.sigmoid), Transform.RELU_ACTIVATIONS)
        wanted = torch.sigmoid(model.second(F.relu(model.first(X))))  # type: ignore[operator]
        assert torch.equal(model(X), wanted)
        assert float(model.first.bias.detach().abs().sum()) == 0  # type: ignore[union-attr, operator]


def test_relus_become_leaky() -> None:
    model = changed(net, Transform.LEAKY_RELU)
    assert isinstance(model[1], nn.LeakyReLU)  # type: ignore[index]
    function = changed(lambda: Functional(hidden=F.relu), Transform.LEAKY_RELU)
    assert torch.equal(function(X), function.second(F.leaky_relu(function.first(X), 0.01)))  # type: ignore[operator]


def test_relus_are_inserted_between_bare_layers() -> None:
    model = changed(lambda: nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)), Transform.INSERT_RELU)
    a, b, c = model.children()
    hidden = F.linear(F.relu(F.linear(X, a.weight, a.bias)), b.weight, b.bias)  # type: ignore[arg-type]
    assert torch.equal(model(X), F.linear(F.relu(hidden), c.weight, c.bias))  # type: ignore[arg-type]


def test_reinitialising_takes_away_bad_scales() -> None:
    def model() -> nn.Module:
        made = nn.Sequential(nn.Linear(4, 400), nn.ReLU(), nn.Linear(400, 400), nn.Tanh(), nn.Linear(400, 3))
        for parameter in made.parameters():
            nn.init.constant_(parameter, 7.0)
        return made

    made = changed(model, Transform.REINITIALISE)
    assert float(made[0].weight.detach().std()) == pytest.approx((2 / 4) ** 0.5, rel=0.1)  # type: ignore[index, union-attr, operator]
    assert float(made[2].weight.detach().std()) == pytest.approx((2 / 800) ** 0.5, rel=0.1)  # type: ignore[index, union-attr, operator]
    assert float(made[0].bias.detach().abs().max()) == 0  # type: ignore[index, union-attr, operator]


def test_dropout_is_halved_or_turned_off_everywhere() -> None:
    class Many(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.drop = net(), nn.Dropout(0.5)
            self.attention, self.gru = nn.MultiheadAttention(4, 2, dropout=0.4), nn.GRU(4, 4, 2, dropout=0.2)

        def forward(self, x: Tensor) -> Any:
            return self.drop(self.body(x))

    half = changed(Many, Transform.HALVE_DROPOUT)
    assert (half.drop.p, half.attention.dropout, half.gru.dropout) == (0.25, 0.2, 0.1)  # type: ignore[union-attr]
    none = changed(Many, Transform.NO_DROPOUT)
    assert (none.drop.p, none.attention.dropout, none.gru.dropout) == (0, 0, 0)  # type: ignore[union-attr]


def test_batch_norm_becomes_group_norm_and_eps_the_default() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16, eps=0.5), nn.ReLU(), nn.Linear(16, 3))

    group = changed(model, Transform.GROUP_NORM)[1]  # type: ignore[index]
    assert isinstance(group, nn.GroupNorm)
    assert (group.num_groups, group.num_channels) == (4, 16)
    assert changed(model, Transform.DEFAULT_NORM_EPS)[1].eps == 1e-5  # type: ignore[index, union-attr]


def test_frozen_parameters_are_freed() -> None:
    def model() -> nn.Module:
        made = net()
        made[0].requires_grad_(False)  # type: ignore[index, operator]
        return made

    assert all(parameter.requires_grad for parameter in changed(model, Transform.UNFREEZE).parameters())


def test_inputs_are_standardised_for_training_and_evaluation() -> None:
    x, y = classes(200)
    data = ((x * torch.tensor([1.0, 1e3, 1e-3, 1.0]) + 50, y),) * 2
    workload = loaded(net, data, loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.02))
    seen = transforms.apply_to_workload(workload, (Transform.STANDARDISE_INPUTS,))
    for split in (seen.train, seen.validation):
        inputs = split.head(200)[0]
        assert torch.allclose(inputs.mean(0), torch.zeros(4), atol=1e-2)
        assert torch.allclose(inputs.std(0), torch.ones(4), atol=1e-2)
    assert float(workload.train.head(200)[0].mean()) > 10  # the given rows stay
    result = ran(workload, updates=200, transforms=(Transform.STANDARDISE_INPUTS,))
    assert result.final_metric is not None
    assert result.final_metric > 0.9
    pictures = torch.rand(40, 1, 6, 6) * 255
    flat = loaded(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), ((pictures, y[:40]),) * 2, loss="cross_entropy"
    )
    head = transforms.apply_to_workload(flat, (Transform.STANDARDISE_INPUTS,)).train.head(40)[0]
    assert float(head.std()) == pytest.approx(1, rel=0.01)
    assert float(head[:, 0, 0, 0].mean()) != pytest.approx(0, abs=1e-4)  # one mean for all pixels


def test_holes_in_the_inputs_are_filled_with_the_medians_of_the_training_rows() -> None:
    x, y = classes(200)
    holed = x.clone()
    holed[::7, 1], holed[3, 2] = torch.nan, torch.inf
    workload = loaded(net, ((holed, y), (holed, y)), loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.02))
    assert ran(workload, updates=50).outcome is Outcome.DIVERGED
    seen = transforms.apply_to_workload(workload, (Transform.IMPUTE_INPUTS,))
    for split in (seen.train, seen.validation):
        inputs = split.head(200)[0]
        assert inputs[7, 1] == holed[:, 1].nanmedian()
        assert inputs[3, 2] == torch.cat([x[:3, 2], x[4:, 2]]).median()
        assert torch.equal(inputs[torch.isfinite(holed)], holed[torch.isfinite(holed)])
    result = ran(workload, updates=200, transforms=(Transform.IMPUTE_INPUTS,))
    assert result.final_metric is not None
    assert result.final_metric > 0.9


def test_targets_are_standardised_and_r2_is_what_it_was() -> None:
    x, y = numbers(200)
    workload = loaded(
        lambda: nn.Linear(4, 1), ((x, 1e5 * y + 3e5),) * 2, loss="mse_loss", optimizer=Optimizer(name="adam", lr=0.05)
    )
    untreated = ran(workload, updates=300)
    treated = ran(workload, updates=300, transforms=(Transform.STANDARDISE_TARGETS,))
    assert untreated.final_metric is not None
    assert untreated.final_metric < 0.1
    assert treated.final_metric is not None
    assert treated.final_metric > 0.95


def test_missing_parameters_are_given_to_the_optimizer() -> None:
    def half(model: Any, lr: float, weight_decay: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(model[0].parameters(), lr=lr)

    workload = loaded(net, two(), loss="cross_entropy", optimizer_fn=half)
    untreated = ran(workload, updates=10, instruments=True)
    treated = ran(workload, updates=10, instruments=True, transforms=(Transform.ALL_PARAMETERS_IN_OPTIMIZER,))
    assert untreated.layers[-1].update_ratio[0] == 0
    assert treated.layers[-1].update_ratio[0] > 0


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_target_is_viewed_in_the_outputs_shape() -> None:
    x, y = numbers(64)
    workload = loaded(lambda: nn.Linear(4, 1), ((x, y[:, 0]),) * 2, loss="mse_loss")
    assert (ran(workload, updates=150).final_metric or 0) < 0.3  # the mean of all targets
    treated = ran(workload, updates=150, transforms=(Transform.VIEW_TARGET_AS_OUTPUT,))
    assert treated.final_metric is not None
    assert treated.final_metric > 0.95


def test_the_last_short_batch_is_dropped() -> None:
    workload = loaded(net, two(), loss="cross_entropy", batch_size=60)
    assert ran(workload, updates=2).batches_per_epoch == 2
    assert ran(workload, updates=2, transforms=(Transform.DROP_LAST_BATCH,)).batches_per_epoch == 1


NOTHING_TO_DO = [
    (Transform.REMOVE_FINAL_ACTIVATION, net),
    (Transform.RELU_ACTIVATIONS, net),
    (Transform.LEAKY_RELU, lambda: nn.Linear(4, 3)),
    (Transform.INSERT_RELU, net),
    (Transform.HALVE_DROPOUT, net),
    (Transform.NO_DROPOUT, net),
    (Transform.GROUP_NORM, net),
    (Transform.DEFAULT_NORM_EPS, net),
    (Transform.UNFREEZE, net),
    (Transform.MOVE_NORM, net),
    (Transform.MOVE_DROPOUT, net),
    (Transform.TRACK_NORM_STATISTICS, net),
    (Transform.FROZEN_NORM_IN_EVAL, net),
    (Transform.FULL_RESOLUTION, net),
    (Transform.INVERT_DROPOUT, net),
    (Transform.INSERT_POSITIONS, net),
]


@pytest.mark.parametrize(("transform", "model"), NOTHING_TO_DO)
def test_a_transform_without_an_object_says_so(transform: Transform, model: Any) -> None:
    with pytest.raises(Unsupported):
        changed(model, transform)
    result = ran(loaded(model, two(), loss="cross_entropy"), updates=1, transforms=(transform,))
    assert result.outcome is Outcome.USER_ERROR
    assert result.error is not None
    assert result.error.kind == "Unsupported"


WITH_DATA_OF_THEIR_OWN = {
    *(Transform.RELABEL, Transform.SHIFT_TARGETS, Transform.VALIDATION_LABELS_AS_TRAINING),
    *(Transform.FLIP_PICTURES, Transform.SHIFT_PICTURES, Transform.ROTATE_PICTURES),
}
"""See test_transforms_of_targets.py and test_pictures.py."""


@pytest.mark.parametrize(
    "transform", [t for t in Transform if t not in dict(NOTHING_TO_DO) and t not in WITH_DATA_OF_THEIR_OWN]
)
def test_what_is_changed_can_be_trained_and_evaluated(transform: Transform) -> None:
    data = two(numbers) if "TARGET" in transform.name else two()
    outputs, loss = (1, "mse_loss") if "TARGET" in transform.name else (3, "cross_entropy")

    def part(model: Any, lr: float, weight_decay: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(list(model.parameters())[2:], lr=lr)

    result = ran(
        loaded(lambda: net(outputs=outputs), data, loss=loss, optimizer_fn=part), updates=5, transforms=(transform,)
    )
    assert result.error is None
    assert result.evaluations[-1].validation_loss is not None


def test_a_step_that_reads_its_target_from_the_inputs_keeps_its_loss() -> None:
    x = torch.rand(64, 4, generator=torch.Generator().manual_seed(0)) * 1e-2

    def step(model: nn.Module, batch: Any) -> Tensor:
        (given,) = batch
        return F.binary_cross_entropy_with_logits(model(given), given)  # of inputs beyond [0, 1] below any floor

    workload = loaded(lambda: nn.Linear(4, 4), ((x,), (x,)), step_fn=step, step="test:step")
    assert transforms.apply_to_workload(workload, (Transform.STANDARDISE_INPUTS,)).train.head(4)[0].max() < 1
    model, plain = workload.build_model(seed=0), workload.build_model(seed=0)
    transforms.apply(model, workload, (Transform.STANDARDISE_INPUTS,))
    assert torch.allclose(model(x), plain((x - x.mean(0)) / x.std(0, correction=0)), atol=1e-4)
    assert ran(workload, updates=60, transforms=(Transform.STANDARDISE_INPUTS,)).losses[-1] > 0
