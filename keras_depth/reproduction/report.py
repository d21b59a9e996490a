"""The report of a reproduction: published and measured numbers side by side, in Markdown."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_depth import metrics, tables
from keras_depth.architectures import CITATIONS
from keras_depth.files import write_text
from keras_depth.protocols import get as protocol_of
from keras_depth.report import BASELINE, NETWORK
from keras_depth.reproduction import charts
from keras_depth.reproduction.html import to_html
from keras_depth.reproduction.plan import RowPlan
from keras_depth.reproduction.results import Result, read

_RENDERED = (
    "**Rendered frames**, drawn by a program: the measured errors show that the networks learn, and"
    " say nothing about NYU Depth v2 or KITTI. What was trained for them, at a smaller size and"
    " sometimes with fewer layers, stands with the pictures. Parameters, multiplications and times"
    " are those of the networks at the paper's sizes."
)
_STANDARD = ("rel", "rmse", "log10", "delta1", "delta2", "delta3")
_SMALL = 5e-3  # relative: parameters that differ by less agree but for a detail


def write(plans: Sequence[RowPlan], output: Path, command: str) -> None:
    """Writes `report.md` and `report.html` of what the folder holds by now.

    Args:
        plans: of all rows of one paper.
        output: the folder of the results.
        command: what made them, for the reader.
    """
    results = [read(plan) for plan in plans]
    content = tables.table(plans[0].row.paper)
    text = "\n".join(
        [
            *_opening(results, content, command),
            *_counts(results),
            *_errors(results, content, output),
            *_standard(plans, results),
            *_times(results, output),
            *_pictures(results, output),
            *_quoted(content),
            *_apart(content),
        ]
    )
    write_text(output / "report.md", text + "\n")
    title = f"{content['paper']}, {_frames(results)}"
    write_text(output / "report.html", to_html(text, title, output))


def _opening(results: Sequence[Result], content: dict[str, Any], command: str) -> list[str]:
    scored = [result for result in results if result.paper]
    lines = [f"# {content['paper']}, published and here: errors on {_frames(results)}", ""]
    if any(result.rendered for result in results):
        lines += [_RENDERED, ""]
    facts = {
        "paper": CITATIONS[content["paper"]],
        "published": content["source"],
        "units": content["units"],
        "rows scored": f"{len(scored)} of {len(results)}",
    }
    environment = next((result.time["environment"] for result in results if result.time), None)
    if environment:
        packages = environment["packages"]
        facts["times by"] = f"TensorFlow {packages['tensorflow']}, Keras {packages['keras']}"
    facts["command"] = f"`{command}`"
    return [*lines, *_table(["", ""], facts.items(), "ll"), ""]


def _counts(results: Sequence[Result]) -> list[str]:
    devices = _devices(results)
    rows = []
    for result in results:
        row, counts = result.row, result.counts
        if counts is None:
            continue
        height, width = row.input_size
        rows.append(
            [
                row.row,
                row.name,
                f"`{result.network}`",
                f"{row.parameters:g} M" if row.parameters else "not given",
                f"{counts['parameters']:,}",
                _agreement(row.parameters, counts["parameters"]),
                f"{height}x{width}",
                f"{counts['multiplications'] / 1e9:.2f}",
                *(_speed(counts["multiplications"], row.seconds.get(d)) for d in devices),
            ]
        )
    head = ["row", "name", "network here", "parameters, published", "here", "", "input", "GMAC"]
    head += [f"GMAC/s, {device}" for device in devices]
    speed = (
        " GMAC/s: by the published times. One speed in all rows says that these are the networks"
        " that were timed; one that stands out says that a row is not."
    )
    return [
        f"## Parameters and multiplications (errors on {_frames(results)})",
        "",
        "Counted in the networks at the paper's sizes, whatever they are trained on; GMAC: 10^9"
        " multiplications of one picture, each with its addition. No paper of the five publishes"
        f" usable ones.{speed if devices else ''}",
        "",
        *_table(head, rows, "lllrrlrr" + "r" * len(devices)),
        "",
    ]


def _agreement(published: float | None, here: int) -> str:
    """Whether a count fits what is printed in millions, rounded or cut off."""
    if published is None:
        return ""
    digits = len(f"{published:g}".partition(".")[2])
    unit = 10 ** (6 - digits)
    printed = round(published * 10**digits)
    if here // unit == printed:
        return "agrees, cut off" if round(here / unit) != printed else "agrees"
    if round(here / unit) == printed:
        return "agrees, rounded"
    difference = here / (published * 1e6) - 1
    return f"{'nearly: ' if abs(difference) < _SMALL else ''}{difference:+.2%}"


def _errors(results: Sequence[Result], content: dict[str, Any], output: Path) -> list[str]:
    keys = list(dict.fromkeys(key for result in results for key in result.row.metrics))
    rows: list[list[Any]] = []
    for result in results:
        row = result.row
        own = [_number(row.metrics.get(key)) for key in keys]
        rows.append([row.row, row.name, row.loss, "published", *own])
        if result.paper:
            reduction = protocol_of(result.paper["protocol"]).reduction
            scores = result.paper["scores"]
            here = scores[NETWORK][reduction]
            steps = f", {result.steps:,} steps" if result.steps else ""
            rows.append(
                ["", "", "", _bold(f"here, {result.frames}{steps}")]
                + [_bold(_number(here.get(key))) for key in keys]
            )
            if BASELINE in scores:
                mean = scores[BASELINE][reduction]
                rows.append(["", "", "", "mean depth", *(_number(mean.get(key)) for key in keys)])
        elif "paper" in result.unscored:
            rows.append(["", "", "", _why_not(result, "paper")])
    lines = [f"## Errors on {_frames(results)}, scored as the paper does", ""]
    lines += [f"- {line}" for line in _protocol_lines(results, "paper")] + [""]
    lines += [*_table(["row", "name", "loss", "", *keys], rows, "llll" + "r" * len(keys)), ""]
    lines += [f"{_legend(keys)}", ""]
    if any(result.paper for result in results):
        charts.errors(
            [f"{result.row.row}  {result.row.name}" for result in results],
            [result.row.metrics.get("rel") for result in results],
            [_score(result.paper, "rel") for result in results],
            _frames(result for result in results if result.paper),
            output / "figures" / "errors.png",
        )
        lines += ["![REL of each row, published and here](figures/errors.png)", ""]
    return lines


def _standard(plans: Sequence[RowPlan], results: Sequence[Result]) -> list[str]:
    rows = []
    for plan, result in zip(plans, results, strict=True):
        if result.standard:
            values = [_number(_score(result.standard, key)) for key in _STANDARD]
            rows.append([result.row.row, result.row.name, result.frames, plan.standard, *values])
        elif "standard" in result.unscored:
            rows.append([result.row.row, result.row.name, _why_not(result, "standard")])
    if not rows:
        return []
    return [
        f"## Errors on {_frames(results)}, scored as most papers do",
        "",
        *(f"- {line}" for line in _protocol_lines(results, "standard")),
        "",
        *_table(["row", "name", "frames", "protocol", *_STANDARD], rows, "llllrrrrrr"),
        "",
    ]


def _times(results: Sequence[Result], output: Path) -> list[str]:
    timed = [(result, result.time) for result in results if result.time]
    if not timed:
        return []
    by_row = {result.row.row: result for result in results}
    devices = _devices(results)
    rows, ratios = [], {}
    for result, time in timed:
        row, reference = result.row, by_row[result.row.reference]
        published = [_ratio(row.seconds.get(d), reference.row.seconds.get(d)) for d in devices]
        multiplications = _ratio(_multiplications(result), _multiplications(reference))
        own = time["seconds"]
        here = own / time.get("reference_seconds", own)
        ratios[row.row] = (published, here)
        seconds = [_number(row.seconds.get(device)) for device in devices]
        rows.append(
            [row.row, row.name, f"row {reference.row.row}", *seconds]
            + [f"{ratio:.2f}" if ratio else "" for ratio in (*published, multiplications)]
            + [_bold(f"{here:.2f}"), f"{1000 * own:.0f}"]
        )
    head = ["row", "name", "by that of", *(f"{device}, s" for device in devices)]
    head += [*(f"{device}, ratio" for device in devices), "GMAC, ratio", "here, ratio", "here, ms"]
    lines = [
        f"## Times (errors on {_frames(results)})",
        "",
        _how_timed(timed[0][1]["environment"], devices),
        "",
        *_table(head, rows, "lll" + "r" * (2 * len(devices) + 3)),
        "",
    ]
    if len(timed) > 1:
        charts.times(
            [f"{result.row.row}  {result.row.name}" for result, _ in timed],
            {d: [ratio[0][i] for ratio in ratios.values()] for i, d in enumerate(devices)},
            [here for _, here in ratios.values()],
            "the row it is compared with",
            output / "figures" / "times.png",
        )
        lines += ["![Ratio of times, published and here](figures/times.png)", ""]
    return lines


def _how_timed(environment: dict[str, Any], devices: Sequence[str]) -> str:
    machines = ", ".join(name.removeprefix("/device:") for name in environment["devices"])
    published = (
        "" if devices else " The paper gives no times of single rows: the last ratio stands alone."
    )
    return (
        "A network and the one that it is compared with run in turn in one process, at the paper's"
        f" size, batch 1, batch norm folded; medians, on {machines}. Ratios carry over to another"
        f" machine, milliseconds do not.{published}"
    )


def _pictures(results: Sequence[Result], output: Path) -> list[str]:
    lines: list[str] = []
    for result in results:
        if result.picture is None or result.paper is None:
            continue
        row = result.row
        picture = result.picture.relative_to(output)
        steps = f", {result.steps:,} steps" if result.steps else ""
        lines += [
            f"### Row {row.row}, {row.name}, on {result.frames}",
            "",
            f"![Picture, true depth, predicted depth, error; {result.frames}]({picture})",
            "",
            f"- Trained: {result.trained}{steps}.",
            f"- Scored: {result.paper['data']}.",
            *([f"- The paper's row: {row.note}"] if row.note else []),
            "",
        ]
    return [f"## Pictures of {_frames(results)}", "", *lines] if lines else []


def _quoted(content: dict[str, Any]) -> list[str]:
    """What the paper compares itself with; nothing of it is measured here."""
    quoted = content.get("quoted", [])
    if not quoted:
        return []
    keys = [key for key in metrics.names() if any(key in row for row in quoted)]
    rows = [
        [f"Table {row['table']}", row["name"], *(_number(row.get(key)) for key in keys)]
        for row in quoted
    ]
    return [
        "## What the paper quotes from others",
        "",
        *_table(["table", "name", *keys], rows, "ll" + "r" * len(keys)),
        "",
    ]


def _apart(content: dict[str, Any]) -> list[str]:
    return [
        "## What can be reproduced, and what cannot",
        "",
        content["reproducible"],
        "",
        *(f"- {text}" for text in content["contradictions"]),
    ]


def _protocol_lines(results: Iterable[Result], which: str) -> list[str]:
    reports = [getattr(result, which) for result in results]
    return list(dict.fromkeys(report["line"] for report in reports if report))


def _why_not(result: Result, which: str) -> str:
    return f"not scored: {result.unscored[which]}"


def _score(report: dict[str, Any] | None, key: str) -> float | None:
    if report is None:
        return None
    return report["scores"][NETWORK][protocol_of(report["protocol"]).reduction].get(key)


def _multiplications(result: Result) -> float | None:
    return result.counts["multiplications"] if result.counts else None


def _devices(results: Iterable[Result]) -> list[str]:
    """The devices that the paper has times of."""
    return list(dict.fromkeys(name for result in results for name in result.row.seconds))


def _speed(multiplications: int, seconds: float | None) -> str:
    return f"{multiplications / 1e9 / seconds:.0f}" if seconds else ""


def _ratio(value: float | None, by: float | None) -> float | None:
    return value / by if value and by else None


def _frames(results: Iterable[Result]) -> str:
    """For a heading: every one says so where frames are rendered."""
    return " and ".join(dict.fromkeys(result.frames for result in results))


def _legend(keys: Iterable[str]) -> str:
    return "; ".join(f"{key}: {metrics.describe(key)}" for key in keys) + "."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _bold(text: str) -> str:
    return f"**{text}**" if text else ""


def _table(head: Sequence[str], rows: Iterable[Iterable[Any]], align: str) -> list[str]:
    marks = {"l": "---", "r": "---:"}
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(marks[each] for each in align)}|"]
    for row in rows:
        cells = [str(cell).replace("|", "\\|") for cell in row]
        cells += [""] * (len(head) - len(cells))
        lines.append(f"| {' | '.join(cells)} |")
    return lines
