"""python -m keras_depth.data: checks a data set, and writes a copy that is fast to train from."""

import argparse
import json
from pathlib import Path
from typing import Any

from keras_depth.command import load_tensorflow, program, run, setting, size, suggest
from keras_depth.data import DATA_SETS
from keras_depth.data.checks.report import Report, find_folder
from keras_depth.errors import check_installed
from keras_depth.files import check_utf8, make_folder

_EXAMPLES = """\
examples:
  # what is there, what is missing, and whether the depth can be metres
  python -m keras_depth.data --data kitti --data-dir ~/kitti
  # with options of the data set, and all frames instead of 200 of each split
  python -m keras_depth.data --data folder --data-dir ~/robot --set units_per_metre=1000 \\
      --frames all
  # also write a copy at the size of a model's input; the same command again resumes after a stop
  python -m keras_depth.data --data nyu --data-dir ~/nyu --prepare ~/nyu_small --size 240x320

exit code: 0, nothing seems wrong; 1, there are findings; 2, nothing could be checked."""


def main() -> int:
    arguments = _parser().parse_args()
    # Messages name the options as a recipe does, data.KEY, so accept that too.
    options = {key.removeprefix("data."): value for key, value in arguments.set}
    if arguments.prepare:
        check_installed("tfds", "tensorflow_datasets", "importlib_resources")
    if arguments.prepare or arguments.data == "prepared":
        load_tensorflow()
    if arguments.prepare:
        _open_both(arguments, options)
    from keras_depth.data.checks.check import check

    folder = find_folder(arguments.data, arguments.data_dir, options, arguments.output)
    make_folder(folder)  # before the work
    report = check(arguments.data, arguments.data_dir, options, arguments.frames)
    print(report.to_markdown())
    _write(report, folder)
    if arguments.prepare:
        from keras_depth.data.prepared.builder import prepare

        copy = prepare(
            arguments.data, arguments.data_dir, arguments.prepare, arguments.size, options
        )
        print(f"copy: --data prepared --data-dir {copy}")
        size = {"size": list(arguments.size)}
        suggest("train", *_train_arguments(report, "prepared", copy, size))
    else:
        _suggest_next(report, folder)
    return 1 if report.findings else 0


def _open_both(arguments: argparse.Namespace, options: dict) -> None:
    """Fails now, and not after the check, if a copy cannot be written."""
    check_utf8(arguments.prepare)
    make_folder(arguments.prepare)
    for split in ("train", "validation"):
        DATA_SETS[arguments.data].open(arguments.data_dir, split, **options)


def _write(report: Report, folder: Path) -> None:
    from keras_depth.data.checks.contact_sheet import contact_sheet

    report.write(folder)
    if report.sheet:
        samples = [reader.stored(index) for _, reader, index in report.sheet]
        images, depths = ([sample[key] for sample in samples] for key in ("image", "depth"))
        sheet = folder / "contact_sheet.png"
        contact_sheet(images, depths, [title for title, _, _ in report.sheet], sheet)
        print(f"contact sheet: {sheet}")
    print(f"report: {folder / 'report.md'}")


def _suggest_next(report: Report, folder: Path) -> None:
    """Prints what to type next, or where to look if something seems wrong."""
    if report.findings:
        look = f"look at {folder / 'contact_sheet.png'}, and " if report.sheet else ""
        print(
            f"next: {look}look up the findings in docs/troubleshooting.md; correct the data or its"
            " options, and check it again"
        )
        return
    changes = {f"data.{key}": value for key, value in report.options.items()}
    if DATA_SETS[report.data].rendered:  # drawn for training, as many and as large as it needs
        changes = {k: v for k, v in changes.items() if k not in ("data.count", "data.size")}
    suggest("train", *_train_arguments(report, report.data, report.data_dir, changes))


def _train_arguments(
    report: Report, data: str, data_dir: str | Path | None, changes: dict[str, Any]
) -> list[str]:
    pairs = any(reader.stereo or not reader.measured for _, reader, _ in report.sheet)
    words = ["--arch", "optidepthnet_vgg" if pairs else "lite_basic_interl_t", "--data", data]
    words += [] if data_dir is None else ["--data-dir", str(data_dir)]
    for key, value in changes.items():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        words += ["--set", f"{key}={text}"]
    return words


def _frames(text: str) -> int | None:
    if text in ("all", "0"):
        return None
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number of frames, or all")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("data"),
        description="Checks a data set: its layout, counts, files, units, and depth's alignment.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, metavar="NAME", help=", ".join(DATA_SETS))
    add("--data-dir", type=Path, metavar="DIR", help="folder of the data set")
    add(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the reader, for example list=eigen (repeatable)",
    )
    add(
        "--frames",
        type=_frames,
        default=200,
        metavar="N",
        help="frames of each split to read, evenly spread, or all (200)",
    )
    add("--output", type=Path, metavar="DIR", help="report and sheet (data_check/NAME)")
    add("--prepare", type=Path, metavar="DIR", help="also write a copy for fast training there")
    add(
        "--size",
        type=size,
        default=(240, 320),
        metavar="HxW",
        help="of the copy's pictures (240x320)",
    )
    return parser


if __name__ == "__main__":
    run(main)
