"""Which changes to the live model, data or loss can a machine make? The closed list of trials.Transform, applied."""

from collections.abc import Callable, Mapping

from torch import nn
from torch.optim import Optimizer

from diagnoser.training import input_changes, loss_changes, pictures, target_changes
from diagnoser.training.layer_changes.changes import CHANGES
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Transform

_OF_THE_WORKLOAD: Mapping[Transform, Callable[[Workload], Workload]] = {
    Transform.IMPUTE_INPUTS: input_changes.impute_inputs,  # before what measures the inputs
    Transform.VALIDATION_AS_TRAINING: input_changes.validation_as_training,
    Transform.STANDARDISE_INPUTS: input_changes.standardise_inputs,
    Transform.STANDARDISE_TARGETS: target_changes.standardise_targets,
    Transform.RELABEL: target_changes.relabel,
    Transform.SHIFT_TARGETS: target_changes.shift_targets,
    Transform.VALIDATION_LABELS_AS_TRAINING: target_changes.validation_labels_as_training,
    Transform.WEIGHT_CLASSES: loss_changes.weight_classes,  # after what numbers the classes
    Transform.VIEW_TARGET_AS_OUTPUT: loss_changes.view_target_as_output,
    Transform.NEGATE_LOSS: loss_changes.negate_loss,
}
"""In the order in which they are applied when several are asked for."""


def apply(model: nn.Module, workload: Workload, transforms: tuple[Transform, ...]) -> nn.Module:
    """Change the layers of a fresh model. Raises Unsupported when there is nothing to change."""
    for transform in transforms:
        change = CHANGES.get(transform)
        if change is not None:
            change(model, workload)
    if Transform.STANDARDISE_INPUTS in transforms and input_changes.loss_reads_inputs(workload):
        input_changes.standardise_at_the_door(model, workload)
    return model


def apply_to_workload(workload: Workload, transforms: tuple[Transform, ...], *, regularised: bool = True) -> Workload:
    """Change data and loss. Raises Unsupported. Augmentation is regularisation: without that, it is left out."""
    for transform, change in _OF_THE_WORKLOAD.items():
        if transform in transforms:
            workload = change(workload)
    return pictures.augment(workload, transforms) if regularised else workload


def apply_to_optimizer(optimizer: Optimizer, model: nn.Module, transforms: tuple[Transform, ...]) -> None:
    """Give the optimizer the parameters that it misses."""
    if Transform.ALL_PARAMETERS_IN_OPTIMIZER not in transforms:
        return
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    missing = [p for p in model.parameters() if p.requires_grad and id(p) not in known]
    if not missing:
        raise Unsupported("the optimizer already has every trainable parameter")
    optimizer.add_param_group({"params": missing})
