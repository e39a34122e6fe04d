"""How does each transform change the layers of a live model? Raises Unsupported when there is nothing to change.

Every change is made so that a stack of trials can share it: what it adds hangs on the layer itself, and its hooks and
methods are functions that hold on to no part of the model.
"""

from collections.abc import Callable

from torch import nn

from diagnoser.training.layer_changes import (
    activations,
    dropout,
    normalisation,
    order,
    positions,
    resolution,
    statistics,
    weights,
)
from diagnoser.training.workload import Workload
from diagnoser.trials import Transform

Change = Callable[[nn.Module, Workload], None]

CHANGES: dict[Transform, Change] = {
    Transform.ZERO_LAST_LAYER: weights.zero_last_layer,
    Transform.REINITIALISE: weights.reinitialise,
    Transform.UNFREEZE: weights.unfreeze,
    Transform.REMOVE_FINAL_ACTIVATION: activations.remove_final_activation,
    Transform.RELU_ACTIVATIONS: activations.relu_activations,
    Transform.LEAKY_RELU: activations.leaky_relu,
    Transform.INSERT_RELU: activations.insert_relu,
    Transform.GELU_ACTIVATIONS: activations.gelu_activations,
    Transform.TANH_ACTIVATIONS: activations.tanh_activations,
    Transform.GROUP_NORM: normalisation.group_norm,
    Transform.DEFAULT_NORM_EPS: normalisation.default_norm_eps,
    Transform.INSERT_NORM: normalisation.insert_norm,
    Transform.TRACK_NORM_STATISTICS: statistics.track_norm_statistics,
    Transform.FROZEN_NORM_IN_EVAL: statistics.frozen_norm_in_eval,
    Transform.MOVE_NORM: order.move_norm,
    Transform.MOVE_DROPOUT: order.move_dropout,
    Transform.HALVE_DROPOUT: dropout.halve_dropout,
    Transform.NO_DROPOUT: dropout.no_dropout,
    Transform.INSERT_DROPOUT: dropout.insert_dropout,
    Transform.INVERT_DROPOUT: dropout.invert_dropout,
    Transform.INSERT_POSITIONS: positions.insert_positions,
    Transform.FULL_RESOLUTION: resolution.full_resolution,
}
