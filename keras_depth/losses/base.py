"""What all losses share: the kind of their target, their precision, and the state of some."""

from collections.abc import MutableMapping, Sequence
from typing import Any

import keras
from keras import KerasTensor, ops

from keras_depth.errors import InputError, check_weights, shown


class DepthLoss(keras.losses.Loss):
    """Computes one value a sample, in float32 under any dtype policy, and reduces over the batch.

    Losses with the same kind of target add up and scale: `MaskedMSE() + 0.5 * StructuralLoss()`.

    Attributes:
        target_kind: what `y_true` is. "depth": (B, h, w, 2), target and valid (0 or 1). "pair":
            (B, H, W, 6), the left and the right image, RGB in [0, 1].
    """

    target_kind = "depth"

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size"):
        try:
            super().__init__(name=name, reduction=reduction, dtype="float32")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{type(self).__name__}: reduction={shown(reduction)}: give 'sum_over_batch_size',"
                " 'sum', 'mean' or 'none'"
            ) from error

    def __add__(self, other: "DepthLoss") -> "WeightedSum":
        if not isinstance(other, DepthLoss):
            return NotImplemented
        return WeightedSum([self, other], [1.0, 1.0])

    def __mul__(self, weight: float) -> "WeightedSum":
        if not isinstance(weight, int | float):
            return NotImplemented
        return WeightedSum([self], [float(weight)])

    def __rmul__(self, weight: float) -> "WeightedSum":
        return self * weight

    @property
    def state(self) -> dict[str, keras.Variable]:
        """The variables that change while the loss is in use, to be saved with the optimizer."""
        return {}

    # Keras calls these two for the loss of a compiled model, so that its state is saved in `.keras`
    # and `.weights.h5` files beside the optimizer's.
    def save_own_variables(self, store: MutableMapping) -> None:
        for key, variable in self.state.items():
            store[key] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store: MutableMapping) -> None:
        # A file saved without a compiled loss holds no state; then it starts afresh.
        for key in set(self.state) & set(store.keys()):
            self.state[key].assign(store[key])


@keras.saving.register_keras_serializable("keras_depth")
class WeightedSum(DepthLoss):
    """Adds up several losses, each times a weight; `+` and `*` of losses make it.

    Args:
        losses: the losses, all with the same `target_kind`; their own reductions are ignored.
        weights: a number of 0 or more for each.

    Raises:
        InputError: losses and weights differ in number, losses in `target_kind`, or a weight is
            below 0.
    """

    def __init__(
        self,
        losses: Sequence[DepthLoss],
        weights: Sequence[float],
        name: str = "sum",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        lists = isinstance(losses, list | tuple) and isinstance(weights, list | tuple)
        if not (lists and all(isinstance(loss, DepthLoss) for loss in losses)):
            raise InputError(f"a sum of {shown(losses)}; give a list of losses, and one of weights")
        check_weights(type(self).__name__, **{f"weights[{n}]": w for n, w in enumerate(weights)})
        kinds = {loss.target_kind for loss in losses}
        if len(losses) != len(weights) or len(kinds) != 1:
            raise InputError(
                f"a sum of {len(losses)} losses with targets {sorted(kinds)} and {len(weights)}"
                " weights; give losses with the same kind of target, and a weight for each"
            )
        self.losses, self.weights = list(losses), list(weights)
        self.target_kind = kinds.pop()

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        pairs = zip(self.losses, self.weights, strict=True)
        return sum(weight * loss.call(y_true, y_pred) for loss, weight in pairs)

    @property
    def state(self) -> dict[str, keras.Variable]:
        return {
            f"{number}_{key}": variable
            for number, loss in enumerate(self.losses)
            for key, variable in loss.state.items()
        }

    def get_config(self) -> dict[str, Any]:
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {**super().get_config(), "losses": losses, "weights": self.weights}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WeightedSum":
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(**{**config, "losses": losses})
