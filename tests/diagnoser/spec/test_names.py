import pytest

from diagnoser.spec import names


@pytest.mark.parametrize(
    ("written", "known", "meant"),
    [
        ("cross_entorpy", names.LOSSES, "cross_entropy"),
        ("CrossEntropyLoss", names.LOSSES, "cross_entropy"),
        ("MSELoss", names.LOSSES, "mse_loss"),
        ("mse", names.LOSSES, "mse_loss"),
        ("bce", names.LOSSES, "binary_cross_entropy"),
        ("BCEWithLogitsLoss", names.LOSSES, "binary_cross_entropy_with_logits"),
        ("focal", names.LOSSES, "focal_loss"),
        ("AdamW", names.OPTIMIZERS, "adamw"),
        ("admw", names.OPTIMIZERS, "adamw"),
        ("rms_prop", names.OPTIMIZERS, "rmsprop"),
        ("onecycle", names.SCHEDULERS, "one_cycle"),
        ("cosineannealinglr", names.SCHEDULERS, "CosineAnnealingLR"),
        ("acc", names.METRICS, "accuracy"),
        ("balanced-accuracy", names.METRICS, "balanced_accuracy"),
        ("languagemodel", names.TASKS, "language_model"),
        ("xyzzy", names.LOSSES, None),
        ("", names.LOSSES, None),
    ],
)
def test_the_name_that_was_probably_meant_is_found(written: str, known: tuple[str, ...], meant: str | None) -> None:
    assert names.nearest(written, known) == meant


def test_a_question_is_ready_to_be_shown() -> None:
    assert names.did_you_mean("sdg", names.OPTIMIZERS) == "did you mean `sgd`?"
    assert names.did_you_mean("qqqqqq", names.OPTIMIZERS) is None


def test_every_loss_is_a_function_of_torch_or_our_own() -> None:
    functional = pytest.importorskip("torch.nn.functional")
    newer = {"focal_loss", "linear_cross_entropy"}  # ours; torch 2.13
    assert [
        name
        for name in (*names.LOSSES, *names.LOSSES_WITH_MORE_INPUTS)
        if name not in newer and not hasattr(functional, name)
    ] == []


def test_every_loss_of_torch_is_listed() -> None:
    functional = pytest.importorskip("torch.nn.functional")
    losses = {name for name in dir(functional) if name.endswith("_loss") or "cross_entropy" in name or name == "kl_div"}
    assert losses - {*names.LOSSES, *names.LOSSES_WITH_MORE_INPUTS} == set()


def test_every_optimizer_of_torch_is_listed() -> None:
    optim = pytest.importorskip("torch.optim")
    classes = {
        name for name, value in vars(optim).items() if isinstance(value, type) and issubclass(value, optim.Optimizer)
    }
    assert classes - set(names.OPTIMIZER_CLASSES.values()) == {"Optimizer"}


def test_every_scheduler_of_torch_is_listed() -> None:
    module = pytest.importorskip("torch.optim.lr_scheduler")
    classes = {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, module.LRScheduler)
    }
    known = {*names.SCHEDULER_CLASSES, *names.SCHEDULERS_WITH_CODE}
    assert {name for name in classes if not name.startswith("_")} - known == {"LRScheduler"}
    assert set(names.SCHEDULER_ALIASES.values()) <= classes
