"""Sections of the report: published and measured counts, errors and times of a paper's rows."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_depth import environment, metrics, published
from keras_depth.evaluate.report import BASELINE, MODEL
from keras_depth.markdown import bold, table
from keras_depth.protocols import PROTOCOLS
from keras_depth.reproduce import charts
from keras_depth.reproduce.results import Result

_STANDARD = ("abs_rel", "rmse", "log10", "delta1", "delta2", "delta3")
_FROZEN = 0.9  # if a smaller share of the parameters is trained, the table says how many
_SMALL = 5e-3  # counts that differ by a smaller share agree but for a detail


def scope(results: Iterable[Result]) -> str:
    """Says what was scored, for a heading, so that no number of rendered frames stands alone."""
    frames = dict.fromkeys(result.frames for result in results if result.frames)
    return f"errors on {' and '.join(frames)}" if frames else "nothing trained yet"


def counts(results: Sequence[Result]) -> list[str]:
    """Lists parameters and multiplications, and the speed that the published times imply."""
    devices = _devices(results)
    head = ["row", "name", "model here", "published", "", "parameters", "of them trained"]
    head += ["input, h x w", "GMAC", *(f"GMAC/s, {device}" for device in devices)]
    rows = []
    for result in results:
        row, values = result.row, result.counts
        if values is None:
            continue
        parameters, macs = values["parameters"], values["macs"]
        frozen = values["trainable"] < _FROZEN * parameters
        rows.append(
            [row.row, row.name, f"`{result.model}`"]
            + [
                f"{row.parameters:g} M" if row.parameters else "",
                agreement(row.parameters, parameters),
            ]
            + [f"{parameters:,}", f"{values['trainable']:,}" if frozen else ""]
            + ["x".join(map(str, row.input_size)), f"{macs / 1e9:.2f}"]
            + [_speed(macs, row.seconds.get(device)) for device in devices]
        )
    return [
        f"## Parameters and multiplications ({scope(results)})",
        "",
        _how_counted(any(result.row.parameters for result in results), devices),
        "",
        *table(head, rows, "lllrl" + "r" * (len(head) - 5)),
        "",
    ]


def _how_counted(published: bool, devices: Sequence[str]) -> str:
    text = (
        "Counted in the models at the paper's sizes, whatever they are trained on. GMAC: 10^9"
        " multiplications, each with its addition, for one image. The paper publishes"
        f" {'no multiplications' if published else 'none of these numbers'}."
    )
    if devices:
        text += (
            " GMAC/s: from the published times. Similar GMAC/s across rows suggest that our models"
            " match those the paper timed; an outlier suggests a mismatch."
        )
    return text


def agreement(published: float | None, here: int) -> str:
    """Compares a count with a published one in millions, which may be rounded or cut off."""
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


def errors(results: Sequence[Result], output: Path) -> list[str]:
    """Lists published errors, ours under the paper's protocol below them, and a chart of REL."""
    keys = list(dict.fromkeys(key for result in results for key in result.row.metrics))
    rows = [cells for result in results for cells in _error_rows(result, keys)]
    scored = any("paper" in result.scores for result in results)
    lines = [f"## Scored as the paper does ({scope(results)})", ""]
    lines += [*_protocol_lines(results, "paper"), ""]
    lines += table(["row", "name", "loss", "", *keys], rows, "llll" + "r" * len(keys))
    lines += ["", "; ".join(f"{key}: {metrics.describe(key)}" for key in keys) + ".", ""]
    if scored:
        charts.errors(
            [f"{result.row.row}  {result.row.name}" for result in results],
            [result.row.metrics.get("abs_rel") for result in results],
            [_score(result, "paper", "abs_rel") for result in results],
            scope(result for result in results if "paper" in result.scores),
            output / "figures" / "errors.png",
        )
        lines += ["![REL of each row, published and here](figures/errors.png)", ""]
    return lines


def _error_rows(result: Result, keys: Sequence[str]) -> list[list[Any]]:
    row = result.row
    values = [published.number(row.metrics[key]) if key in row.metrics else None for key in keys]
    loss = row.loss if row.loss_value is None else f"{row.loss}: {row.loss_value:g}"
    rows: list[list[Any]] = [[row.row, row.name, loss, "published", *values]]
    if "paper" in result.scores:
        steps = f", {result.steps:,} steps" if result.steps else ""
        here = f"here, {result.frames}{steps}{_seen(result, 'paper')}"
        rows.append([None] * 3 + [bold(cell) for cell in [here, *_scores(result, "paper", keys)]])
        mean = _scores(result, "paper", keys, BASELINE)
        if any(mean):
            rows.append([None] * 3 + ["mean depth", *mean])
    elif "paper" in result.unscored:
        rows.append([None] * 3 + [_why_not(result, "paper")])
    return rows


def standard(results: Sequence[Result]) -> list[str]:
    """Lists the errors under the protocol that most papers use, if there are any."""
    rows: list[list[Any]] = []
    for result in results:
        row = result.row
        if "standard" in result.scores:
            frames = f"{result.frames}{_seen(result, 'standard')}"
            protocol = result.scores["standard"]["protocol"]
            rows.append([row.row, row.name, frames, protocol])
            rows[-1] += _scores(result, "standard", _STANDARD)
        elif "standard" in result.unscored:
            rows.append([row.row, row.name, _why_not(result, "standard")])
    if not rows:
        return []
    return [
        f"## Scored as most papers do ({scope(results)})",
        "",
        *_protocol_lines(results, "standard"),
        "",
        *table(["row", "name", "frames", "protocol", *_STANDARD], rows, "llllrrrrrr"),
        "",
    ]


def times(results: Sequence[Result], output: Path) -> list[str]:
    """Lists ratios of times, published and here, if a row was timed."""
    by_row = {result.row.row: result for result in results}
    timed = [
        (result, by_row[result.time["reference"]], result.time) for result in results if result.time
    ]
    if not timed:
        return []
    devices = _devices(results)
    head = ["row", "name", "by row", *(f"{device}, s" for device in devices), "here, ms"]
    head += [*(f"{device}, ratio" for device in devices), "GMAC, ratio", "here, ratio"]
    head += [f"here / {device}" for device in devices]
    rows = [_time_row(*each, devices) for each in timed]
    lines = [f"## Times ({scope(results)})", "", _how_timed(timed[0][2], devices), ""]
    lines += [*table(head, rows, "lll" + "r" * (len(head) - 3)), ""]
    if len(timed) > 1:
        charts.times(
            [f"{result.row.row}  {result.row.name}" for result, *_ in timed],
            {device: [_published(a, b, device) for a, b, _ in timed] for device in devices},
            [time["ratio"] for *_, time in timed],
            output / "figures" / "times.png",
        )
        lines += ["![Ratio of times, published and here](figures/times.png)", ""]
    return lines


def _time_row(
    result: Result, reference: Result, time: dict[str, Any], devices: Sequence[str]
) -> list[Any]:
    ratios = [_published(result, reference, device) for device in devices]
    here, (low, high) = time["ratio"], time["range"]
    return (
        [result.row.row, result.row.name, reference.row.row]
        + [_or_empty(result.row.seconds.get(device), "{:.3f}") for device in devices]
        + [f"{1000 * time['seconds']:.0f} / {1000 * time['reference_seconds']:.0f}"]
        + [_or_empty(ratio, "{:.2f}") for ratio in (*ratios, _ratio_of_macs(result, reference))]
        + [f"{bold(f'{here:.2f}')} ({low:.2f} to {high:.2f})"]
        + [_or_empty(_ratio(here, ratio), "{:.2f}") for ratio in ratios]
    )


def _published(result: Result, reference: Result, device: str) -> float | None:
    return _ratio(result.row.seconds.get(device), reference.row.seconds.get(device))


def _how_timed(time: dict[str, Any], devices: Sequence[str]) -> str:
    machines = environment.devices(time["environment"])
    text = (
        "Each row's model and that of the row it is compared with run in turn in one process, at"
        f" the paper's size, batch 1, batch norm folded, on {machines}. The table has medians, and"
        " the range of the single ratios. Rows of the same network share one timing. If the range"
        " is wide, the machine was busy: delete the row's `time.json`, and those of rows of the"
        " same network, to time it again. Milliseconds hold for this machine only, and even the"
        " ratios depend on it."
    )
    if devices:
        return f'{text} "here / {devices[0]}": the ratio here divided by the paper\'s.'
    return f"{text} The paper publishes no times of single rows to compare with."


def _protocol_lines(results: Iterable[Result], which: str) -> list[str]:
    reports = [result.scores.get(which) for result in results]
    return list(dict.fromkeys(f"- {report['line']}" for report in reports if report))


def _why_not(result: Result, which: str) -> str:
    return f"not scored: {result.unscored[which]}"


def _seen(result: Result, which: str) -> str:
    """Warns of scored frames that the model was trained on."""
    seen, scored = result.seen.get(which), len(result.scores[which]["frames"])
    if seen is None:
        return "; whether it was trained on them is not known"
    return f"; it was trained on {seen} of the {scored} frames" if seen else ""


def _scores(result: Result, which: str, keys: Iterable[str], predictor: str = MODEL) -> list[str]:
    return [_or_empty(_score(result, which, key, predictor), "{:.3f}") for key in keys]


def _score(result: Result, which: str, key: str, predictor: str = MODEL) -> float | None:
    report = result.scores.get(which)
    if report is None:
        return None
    reduction = PROTOCOLS[report["protocol"]].reduction
    return report["scores"].get(predictor, {}).get(reduction, {}).get(key)


def _ratio_of_macs(result: Result, reference: Result) -> float | None:
    if not result.counts or not reference.counts:
        return None
    return _ratio(result.counts["macs"], reference.counts["macs"])


def _devices(results: Iterable[Result]) -> list[str]:
    """Returns the devices that the paper publishes times of."""
    return list(dict.fromkeys(name for result in results for name in result.row.seconds))


def _speed(macs: int, seconds: float | None) -> str:
    return f"{macs / 1e9 / seconds:.0f}" if seconds else ""


def _ratio(value: float | None, by: float | None) -> float | None:
    return value / by if value and by else None


def _or_empty(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
