"""Times a network in the unpool form against the interleaved form: training step and inference.

Both are the same function of the same weights, but the unpool form multiplies zeros. Interleaved,
the whole Lite network has 2.32 times fewer multiplications, at any size.

    python evaluation/benchmarks/up_convolution.py --arch lite_basic_interl_t --size 240x320
"""

import argparse
from functools import partial

from keras_depth.command import count, load_tensorflow, run, size


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arch", default="lite_basic_interl_t", help="(lite_basic_interl_t)")
    parser.add_argument("--size", type=size, default=(240, 320), help="of the input (240x320)")
    parser.add_argument("--batch", type=count, default=4, help="frames of a training step (4)")
    parser.add_argument("--repeats", type=count, default=11, help="timed calls of each form (11)")
    arguments = parser.parse_args()
    load_tensorflow()
    import numpy as np

    from keras_depth import losses
    from keras_depth.benchmark import timing
    from keras_depth.models import create_model, reparameterize

    height, width = arguments.size

    def forms(**options):
        shape = (height, width, 3)
        unpool = create_model(arguments.arch, shape, decoder="upconv_unpool", **options)
        interleaved = create_model(arguments.arch, shape, decoder="upconv", **options)
        interleaved.set_weights(unpool.get_weights())
        return {"unpool": unpool, "interleaved": interleaved}

    models = forms()
    deployed = reparameterize.to_interleaved(models["unpool"])
    folded = {
        "unpool": reparameterize.fold_batch_norm(models["unpool"]),
        "interleaved": reparameterize.fold_batch_norm(deployed),
    }
    step = partial(timing.training_step, loss=losses.get("mse_rel"), batch=arguments.batch)
    one = partial(timing.inference, batch=1)
    cases = {
        f"training step, batch {arguments.batch}": (step, models),
        "the same without dropout": (step, forms(dropout=0)),
        "inference, batch 1": (one, models),
        "inference with folded batch norm, batch 1": (one, folded),
    }
    print(f"{arguments.arch}, {height}x{width}, medians of {arguments.repeats}\n")
    print("| | unpool, ms | interleaved, ms | ratio |\n|---|---:|---:|---:|")
    for title, (make, networks) in cases.items():
        functions = {form: make(model) for form, model in networks.items()}
        times = timing.seconds(functions, arguments.repeats)
        unpool, interleaved = (1000 * np.median(times[form]) for form in functions)
        print(f"| {title} | {unpool:.0f} | {interleaved:.0f} | {unpool / interleaved:.2f} |")


if __name__ == "__main__":
    run(main)
