"""The loss of MSFNet: batch-loss, edges and structure of the depth, L1 of the other heads."""

from typing import Any

import keras
from keras import KerasTensor

from keras_depth.errors import check_choice, check_weights
from keras_depth.losses.base import DepthLoss
from keras_depth.losses.batch_loss import ACROSS, BatchLoss
from keras_depth.losses.regression import MaskedL1
from keras_depth.losses.structural import StructuralLoss


@keras.saving.register_keras_serializable("keras_depth")
class MSFNetLoss(DepthLoss):
    """Adds depth * L_batch + L_gradient + L_SSIM of the first map, auxiliary * L1 of the others.

    Call arguments: `y_true` (B, h, w, 2), target and valid; `y_pred` (B, h, w, 1), or a list of
    such maps, depth first; h and w of 11 or more.

    With `fit`, Keras takes one loss for each output: give this one to the first and a weighted L1
    to the others, `[MSFNetLoss(), *[0.1 * MaskedL1()] * 2]`, and the target to each.

    Args:
        depth: weight of the batch-loss, λ in the paper: 0.1 on NYU, 1 on KITTI. Defaults to 0.1.
        auxiliary: weight of the auxiliary heads, μ: the same. Defaults to 0.1.
        weights: "samples" or "pixels", see `across` of `BatchLoss`; "none": L1 instead of the
            batch-loss, as in the first four arms of Table III. Defaults to "samples".
        ssim_range: see `StructuralLoss`. Defaults to 100, the range of 10 / depth.
        holes: see `StructuralLoss`. Defaults to "zero".

    Raises:
        InputError: a negative weight, an unknown name, or maps that are smaller than SSIM's window.

    Source: MSFNet (Pei 2021), section III-D, equations 3 to 7; the rest as in DenseDepth.
    """

    def __init__(
        self,
        depth: float = 0.1,
        auxiliary: float = 0.1,
        weights: str = "samples",
        ssim_range: float = 100.0,
        holes: str = "zero",
        name: str = "msfnet",
        reduction: str | None = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_weights("MSFNetLoss", depth=depth, auxiliary=auxiliary)
        check_choice("weights of MSFNetLoss", weights, (*ACROSS, "none"))
        self.depth = depth
        self.auxiliary = auxiliary
        self.weights = weights
        self.ssim_range = ssim_range
        self.holes = holes
        errors = MaskedL1() if weights == "none" else BatchLoss(weights)
        structure = StructuralLoss(depth=0.0, ssim_range=ssim_range, holes=holes)
        self._of_depth = errors * self.depth + structure
        self._of_others = MaskedL1() * self.auxiliary

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        depth, *others = keras.tree.flatten(y_pred)
        auxiliary = (self._of_others.call(y_true, other) for other in others)
        return sum(auxiliary, start=self._of_depth.call(y_true, depth))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "depth": self.depth,
            "auxiliary": self.auxiliary,
            "weights": self.weights,
            "ssim_range": self.ssim_range,
            "holes": self.holes,
        }
