"""What all losses share: what they are shown, their precision, and the state some of them have."""

import keras
from keras import ops


class DepthLoss(keras.losses.Loss):
    """One value a sample, in float32 under any dtype policy; `reduction` then goes over the batch.

    sees: what `y_true` is. "depth": (B, h, w, 2), target and valid (0 or 1). "pair":
        (B, H, W, 6), the left and the right picture, RGB in [0, 1].
    """

    sees = "depth"

    def __init__(self, name=None, reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction, dtype="float32")

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
