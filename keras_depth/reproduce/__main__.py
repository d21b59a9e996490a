"""python -m keras_depth.reproduce: compares a paper's tables with this code's, row by row."""

import argparse
import shlex
import sys
from pathlib import Path

from keras_depth import published, recipes
from keras_depth.command import load_tensorflow, program, run, suggest
from keras_depth.errors import InputError, check_choice
from keras_depth.reproduce import plan, settings
from keras_depth.reproduce.run import reproduce

_EXAMPLES = """\
examples:
  # the counts and times of every row, nothing trained
  python -m keras_depth.reproduce jetson_fcnn --steps 0
  # row 16, trained on rendered rooms in minutes
  python -m keras_depth.reproduce jetson_fcnn --rows 16
  # every row by its recipe on NYU Depth v2, in any of its layouts
  python -m keras_depth.reproduce jetson_fcnn --data-dir ~/nyu
  # a paper of two data sets; row 3 was trained before
  python -m keras_depth.reproduce msfnet --data-dir nyu=~/nyu --data-dir kitti=~/kitti \\
      --run 3=runs/row3_baseline --set weights=senet154-c7b49a05.pth

The same command continues after a stop, and repeats nothing that is done. A row whose data set
is not given is trained on rendered rooms or drives, and every heading of the report says so."""


def main() -> int:
    arguments = parse()
    paper = arguments.paper
    known = [row.row for row in published.rows(paper)]
    chosen = known if arguments.rows is None else plan.choose(paper, arguments.rows)
    folders = _folders(paper, arguments.data_dir)
    output = arguments.output or Path("runs") / "-".join(["reproduce", paper, *sorted(folders)])
    plans = plan.plan(
        paper,
        output,
        folders=folders,
        runs=_runs(arguments.run, chosen, known),
        steps=arguments.steps,
        changes=arguments.set,
    )
    train = arguments.steps != 0
    if train:
        settings.check(each for each in plans if each.row.row in chosen)
    settings.prepare_folder(output, paper)
    load_tensorflow()
    typed = f"python -m keras_depth.reproduce {shlex.join(sys.argv[1:])}"
    failed = reproduce(plans, chosen, output, train, typed)
    print(f"report: {output / 'report.html'}, {output / 'report.md'}")
    if failed:
        rows = ", ".join(map(str, failed))
        raise InputError(f"rows that failed (see above): {rows}; the same command tries them again")
    suggest("train", "--recipe", published.row(paper, chosen[0]).recipe)
    return 0


def _folders(paper: str, given: list[tuple[str, Path]]) -> dict[str, Path]:
    """Returns the folder of each data set; a nameless one is of the paper's only data set."""
    names = {recipes.load(row.recipe).data["name"] for row in published.rows(paper)}
    folders = {}
    for name, folder in given:
        if not name and len(names) > 1:
            raise InputError(
                f"--data-dir {folder}: {paper} has the data sets {' and '.join(sorted(names))};"
                f" write it as {min(names)}={folder}"
            )
        name = name or min(names)
        check_choice(f"data set of {paper}", name, names)
        if name in folders:
            raise InputError(
                f"--data-dir: {name} is given twice; use one command for each copy of a data set"
            )
        folder = folder.expanduser().resolve()
        if not folder.is_dir():
            raise InputError(f"--data-dir {folder}: no such folder; check its path")
        folders[name] = folder
    return folders


def _runs(given: list[tuple[int, Path]], chosen: list[int], known: list[int]) -> dict[int, Path]:
    runs = dict(given)
    for row in runs:
        if row in known and row not in chosen:
            raise InputError(
                f"--run {row}={runs[row]}: row {row} is not among those of --rows; add it there"
            )
    return runs


def _data_dir(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    named = equals and name.isidentifier()  # else it is a folder with = in its path
    return (name, Path(folder)) if named else ("", Path(text))


def _steps(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, 0 or more")
    return int(text)


def _run(text: str) -> tuple[int, Path]:
    number, equals, path = text.partition("=")
    if not equals or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: write it as ROW=RUN")
    run = Path(path).expanduser().resolve()
    if not run.exists():
        raise argparse.ArgumentTypeError(f"{text!r}: {path}: no such run folder or .keras file")
    return int(number), run


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the arguments; None: those of the command line."""
    parser = argparse.ArgumentParser(
        prog=program("reproduce"),
        description="Compares a paper's tables with this code's results, row by row: parameters,"
        " multiplications, errors and times.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("paper", metavar="PAPER", help=", ".join(published.papers()))
    add(
        "--data-dir",
        type=_data_dir,
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="folder of a data set, nyu or kitti (none: rendered frames)",
    )
    add("--rows", metavar="N,M-K", help="train, score and time only these rows (all)")
    add(
        "--steps",
        type=_steps,
        metavar="N",
        help="training steps (the recipes'); 0: only count and time",
    )
    add(
        "--run",
        type=_run,
        action="append",
        default=[],
        metavar="ROW=RUN",
        help="score this run instead of training the row (repeatable)",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value of every trained recipe, for example weights=none (repeatable)",
    )
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of the results (runs/reproduce-PAPER, with the data sets' names)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
