"""What all losses share: the kind of their target, their precision, and the state of some."""

import keras
from keras import ops

from keras_depth.errors import InputError


class DepthLoss(keras.losses.Loss):
    """One value a sample, in float32 under any dtype policy; `reduction` then goes over the batch.

    Losses with the same kind of target add up and scale: `MaskedMSE() + 0.5 * StructuralLoss()`.

    target_kind: what `y_true` is. "depth": (B, h, w, 2), target and valid (0 or 1). "pair":
        (B, H, W, 6), the left and the right image, RGB in [0, 1].
    """

    target_kind = "depth"

    def __init__(self, name=None, reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def __add__(self, other):
        if not isinstance(other, DepthLoss):
            return NotImplemented
        return WeightedSum([self, other], [1.0, 1.0])

    def __mul__(self, weight):
        if not isinstance(weight, int | float):
            return NotImplemented
        return WeightedSum([self], [float(weight)])

    __rmul__ = __mul__

    @property
    def state(self) -> dict[str, keras.Variable]:
        """What changes while the loss is in use, to be saved with the optimizer."""
        return {}

    # Keras calls these two for the loss of a compiled model: its state then travels in `.keras`
    # and `.weights.h5` files beside the optimizer's.
    def save_own_variables(self, store):
        for key, variable in self.state.items():
            store[key] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        # A file saved without a compiled loss has no state to give: training starts afresh.
        for key in set(self.state) & set(store.keys()):
            self.state[key].assign(store[key])


def check_weights(loss: str, **weights: float) -> None:
    """Raises InputError unless each weight of a loss is a number of 0 or more."""
    for key, weight in weights.items():
        if type(weight) not in (int, float) or not weight >= 0:
            raise InputError(f"{loss}: {key}={weight!r}: give a number of 0 or more")


@keras.saving.register_keras_serializable("keras_depth")
class WeightedSum(DepthLoss):
    """Several losses as one; what `+` and `*` of losses make.

    Args:
        losses: the losses, all with the same `target_kind`; their own reductions do not count.
        weights: a number for each.

    Raises:
        InputError: not as many of both, or losses that differ in `target_kind`.
    """

    def __init__(self, losses, weights, name="sum", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        kinds = {loss.target_kind for loss in losses}
        if len(losses) != len(weights) or len(kinds) != 1:
            raise InputError(
                f"a sum of {len(losses)} losses with targets {sorted(kinds)} and {len(weights)}"
                " weights; give losses with the same kind of target, and a weight for each"
            )
        self.losses, self.weights = list(losses), list(weights)
        self.target_kind = kinds.pop()

    def call(self, y_true, y_pred):
        pairs = zip(self.losses, self.weights, strict=True)
        return sum(weight * loss.call(y_true, y_pred) for loss, weight in pairs)

    @property
    def state(self) -> dict[str, keras.Variable]:
        return {
            f"{number}_{key}": variable
            for number, loss in enumerate(self.losses)
            for key, variable in loss.state.items()
        }

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {**super().get_config(), "losses": losses, "weights": self.weights}

    @classmethod
    def from_config(cls, config):
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(**{**config, "losses": losses})
