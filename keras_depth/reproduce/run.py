"""Reproduces rows one after the other, each in a process of its own."""

import multiprocessing
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from keras_depth import command
from keras_depth.reproduce.plan import RowPlan


def reproduce(
    plans: Sequence[RowPlan], chosen: Sequence[int], output: Path, train: bool, typed: str
) -> list[int]:
    """Counts all rows, then trains, scores and times the chosen ones.

    The report is written again after each row.

    Args:
        plans: the plans of all rows, see `plan.plan`.
        chosen: the numbers of the rows to do.
        output: the folder of the results.
        train: False: count and time, but neither train nor score.
        typed: the command, for the report.

    Returns:
        The rows that failed. Their processes have printed why.
    """
    from keras_depth.reproduce import report, row

    by_row = {plan.row.row: plan for plan in plans}
    for plan in plans:
        print(f"{plan.row.title}: counting", flush=True)
        row.count(plan, plans)
    report.write(plans, output, typed)
    failed = []
    for number in chosen:
        plan = by_row[number]
        code = _run_in_process(plan, plans, train)
        if code:
            failed.append(number)
        if code < 0:
            print(f"error: {plan.row.title}: {_killed(-code)}", file=sys.stderr)
        report.write(plans, output, typed)
    return failed


def _run_in_process(plan: RowPlan, plans: Sequence[RowPlan], train: bool) -> int:
    """Does one row in a new process, and returns its exit code.

    TensorFlow (2.21) does not give back all the memory of a training while its process lives.
    """
    # Spawn imports this module, and never a package's __main__.
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(plan, plans, train))
    process.start()
    process.join()
    return process.exitcode or 0


def _work(plan: RowPlan, plans: Sequence[RowPlan], train: bool) -> None:
    """Does one row as a command would: with its messages and exit codes."""
    command.end_with_parent()
    command.run(partial(_do_row, plan, plans, train))


def _do_row(plan: RowPlan, plans: Sequence[RowPlan], train: bool) -> None:
    command.load_tensorflow()
    from keras_depth.reproduce import row

    if train:
        print(f"{plan.row.title}: training in {plan.run_folder}", flush=True)
        row.train(plan)
        print(f"{plan.row.title}: scoring", flush=True)
        row.score(plan)
    print(f"{plan.row.title}: timing", flush=True)
    (reference,) = [each for each in plans if each.row.row == plan.row.reference]
    row.measure_time(plan, reference, plans)


def _killed(number: int) -> str:
    reason = " (the system kills when memory runs out)" if number == signal.SIGKILL else ""
    return (
        f"its process was ended by signal {number}{reason}; a smaller batch needs less memory:"
        " --set batch_size=1"
    )
