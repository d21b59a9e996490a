"""Times OptiDepthNet's networks against their base, side by side: training step and inference.

The base, monodepth_vgg, _resnet50 and _resnet152, are the networks of Godard et al.; optidepthnet_*
are the same with depthwise-separable convolutions. Weights are random, which does not change the
time.

    python evaluation/benchmarks/separable.py --encoders vgg resnet50
"""

import argparse
from functools import partial

from keras_depth.command import count, load_tensorflow, run, size

ENCODERS = ("vgg", "resnet50", "resnet152")
COLUMNS = (
    *("base, GMAC", "separable, GMAC", "base, parameters", "separable, parameters"),
    *("base, ms", "separable, ms", "ratio", "time saved"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=ENCODERS)
    parser.add_argument("--size", type=size, default=(256, 512), help="of the input (256x512)")
    parser.add_argument("--batch", type=count, default=4, help="frames of a training step (4)")
    parser.add_argument("--repeats", type=count, default=7, help="timed calls of each model (7)")
    arguments = parser.parse_args()
    height, width = arguments.size
    load_tensorflow()

    print(f"{height}x{width}, medians of {arguments.repeats}\n")
    print(f"| | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}", flush=True)
    for encoder in arguments.encoders:
        for cells in rows(encoder, (height, width, 3), arguments.batch, arguments.repeats):
            print(f"| {' | '.join(cells)} |", flush=True)


def rows(encoder, shape, batch, repeats):
    """Yields the rows of one encoder: training step and inference."""
    import numpy as np

    from keras_depth import losses
    from keras_depth.benchmark import macs, timing
    from keras_depth.models import create_model

    models = [create_model(f"{form}_{encoder}", shape) for form in ("monodepth", "optidepthnet")]
    sizes = [f"{macs.count(model) / 1e9:.2f}" for model in models]
    sizes += [f"{model.count_params():,}" for model in models]
    cases = {
        f"training step, batch {batch}": partial(
            timing.training_step, loss=losses.get("stereo"), batch=batch
        ),
        "inference, batch 1": partial(timing.inference, batch=1),
    }
    for title, make in cases.items():
        times = timing.seconds({model.name: make(model) for model in models}, repeats)
        base, separable = (1000 * np.median(seconds) for seconds in times.values())
        yield [
            *(f"{encoder}, {title}", *sizes, f"{base:.0f}", f"{separable:.0f}"),
            *(f"{base / separable:.2f}", f"{1 - separable / base:.1%}"),
        ]


if __name__ == "__main__":
    run(main)
