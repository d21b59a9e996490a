"""python -m keras_depth.reproduce: a paper's tables beside this code's own, row by row."""

import argparse
import multiprocessing
import shlex
import sys
from functools import partial
from pathlib import Path

from keras_depth import published, recipes
from keras_depth.command import end_with_parent, load_tensorflow, program, run
from keras_depth.errors import InputError, unknown_name
from keras_depth.reproduce import plan as planning
from keras_depth.reproduce import settings
from keras_depth.reproduce.plan import RowPlan

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

The same command again goes on after a stop; what is done is not done again. Without the data set
of a row it is trained on rendered rooms or drives, and every heading of the report says so."""


def main() -> int:
    arguments = parse()
    paper = arguments.paper
    known = [row.row for row in published.rows(paper)]
    chosen = known if arguments.rows is None else planning.choose(paper, arguments.rows)
    folders = _folders(paper, arguments.data_dir)
    output = arguments.output or Path("runs") / "-".join(["reproduce", paper, *sorted(folders)])
    plans = planning.plan(
        paper,
        output,
        folders=folders,
        runs=_runs(arguments.run, chosen, known),
        steps=arguments.steps,
        changes=arguments.set,
    )
    train = arguments.steps != 0
    if train:
        settings.check(plan for plan in plans if plan.row.row in chosen)
    settings.begin(output, paper)
    load_tensorflow()
    failed = reproduce(plans, chosen, output, train)
    print(f"report: {output / 'report.html'}, {output / 'report.md'}")
    if failed:
        rows = ", ".join(map(str, failed))
        raise InputError(f"not done, see above: row {rows}; the same command goes on with them")
    return 0


def reproduce(plans: list[RowPlan], chosen: list[int], output: Path, train: bool) -> list[int]:
    """Counts all rows, trains, scores and times the chosen ones; writes the report after each.

    Each in a process of its own: TensorFlow (2.21) does not give back all memory of a training.

    Args:
        plans: what `reproduction.plan.plan` returned.
        chosen: rows.
        output: the folder of the results.
        train: or else counts and times alone.

    Returns:
        The rows that failed; why, their processes have said.
    """
    from keras_depth.reproduce import report, row

    command = f"python -m keras_depth.reproduce {shlex.join(sys.argv[1:])}"
    by_row = {plan.row.row: plan for plan in plans}
    failed = []
    for plan in plans:
        print(f"{plan.row.title}: counting", flush=True)
        row.count(plan)
    report.write(plans, output, command)
    for number in chosen:
        plan = by_row[number]
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(plan, by_row[plan.row.reference], train)
        )
        process.start()
        process.join()
        code = process.exitcode or 0
        if code:
            failed.append(number)
        if code < 0:
            print(f"error: {plan.row.title}: {_killed(-code)}", file=sys.stderr)
        report.write(plans, output, command)
    return failed


def _killed(signal: int) -> str:
    return (
        f"its process was ended by signal {signal}, as a system that is short of memory does (9); a"
        " smaller batch needs less: --set batch_size=1"
    )


def _work(plan: RowPlan, reference: RowPlan, train: bool) -> None:
    """Does one row; ends its process as a command does."""
    end_with_parent()
    run(partial(_do, plan, reference, train))


def _do(plan: RowPlan, reference: RowPlan, train: bool) -> None:
    load_tensorflow()
    from keras_depth.reproduce import row

    if train:
        print(f"{plan.row.title}: training in {plan.run_folder}", flush=True)
        row.train(plan)
        print(f"{plan.row.title}: scoring", flush=True)
        row.score(plan)
    print(f"{plan.row.title}: timing", flush=True)
    row.time(plan, reference)


def _folders(paper: str, given: list[tuple[str, Path]]) -> dict[str, Path]:
    """The folders by data set; one without a name is of the only data set that the paper has."""
    names = {recipes.load(row.recipe).data["name"] for row in published.rows(paper)}
    folders = {}
    for name, folder in given:
        if not name and len(names) > 1:
            raise InputError(
                f"--data-dir {folder}: {paper} has the data sets {' and '.join(sorted(names))};"
                f" write it as {min(names)}={folder}"
            )
        name = name or min(names)
        if name not in names:
            raise unknown_name(f"data set of {paper}", name, names)
        if name in folders:
            raise InputError(
                f"--data-dir: {name} is given twice; rows of another copy go one by one"
            )
        folder = folder.expanduser().resolve()
        if not folder.is_dir():
            raise InputError(f"--data-dir {folder}: no such folder")
        folders[name] = folder
    return folders


def _runs(given: list[tuple[int, Path]], chosen: list[int], known: list[int]) -> dict[int, Path]:
    runs = dict(given)
    for row in runs:
        if row in known and row not in chosen:
            raise InputError(f"--run {row}={runs[row]}: row {row} is not among those of --rows")
    return runs


def _data_dir(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    named = equals and name.isidentifier()  # or else a folder with = in its path
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
    parser = argparse.ArgumentParser(
        prog=program("reproduce"),
        description="Puts a paper's tables beside what this code gives, row by row: parameters,"
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
    add("--rows", metavar="N,M-K", help="train, score and time these alone (all)")
    add(
        "--steps",
        type=_steps,
        metavar="N",
        help="training steps (the recipes'); 0 trains nothing: counts and times alone",
    )
    add(
        "--run",
        type=_run,
        action="append",
        default=[],
        metavar="ROW=RUN",
        help="score this run in place of training the row (repeatable)",
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
