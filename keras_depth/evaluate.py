"""python -m keras_depth.evaluate: scores a trained network under a named protocol."""

import argparse
from pathlib import Path

from keras_depth.command import load_tensorflow, run

_EXAMPLES = """\
examples:
  # on the held-out frames of its own recipe
  python -m keras_depth.evaluate runs/lite_basic_interl_t-synthetic
  # on NYU Depth v2, in any of its layouts, as most papers score it
  python -m keras_depth.evaluate runs/lite --data nyu --data-dir ~/nyu --protocol nyu_eigen"""


def main() -> int:
    arguments = _parser().parse_args()
    load_tensorflow()
    from keras_depth import evaluation

    report, folder = evaluation.evaluate_run(
        arguments.run,
        data=arguments.data,
        data_dir=arguments.data_dir,
        split=arguments.split,
        protocol=arguments.protocol,
        output=arguments.output,
    )
    print(report.summary())
    print(f"report: {folder / 'report.md'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keras_depth.evaluate",
        description="Scores a trained network on frames with known depth.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="run folder or .keras file")
    add("--data", metavar="NAME", help="synthetic or nyu (the run's own)")
    add("--data-dir", type=Path, metavar="DIR", help="folder of the data set")
    add("--split", metavar="NAME", help="train or test (test, where the folder has test frames)")
    add("--protocol", metavar="NAME", help="how to score, for example nyu_eigen")
    add("--output", type=Path, metavar="DIR", help="folder of the report")
    return parser


if __name__ == "__main__":
    run(main)
