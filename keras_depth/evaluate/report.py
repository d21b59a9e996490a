"""Reports the results of an evaluation: report.md for people, report.json for programs."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth import metrics
from keras_depth.environment import environment
from keras_depth.files import write_text
from keras_depth.markdown import table
from keras_depth.protocols import Protocol
from keras_depth.published import Row

MODEL = "model"
POST_PROCESSED = "model, flip ramp"
BASELINE = "mean training depth"

_SUMMARY = "abs_rel rms_rel rmse mse log10 delta1 delta2 delta3 d1 r2_pooled".split()
_RENDERED = "Rendered frames: these numbers say nothing about NYU Depth v2 or KITTI."
_NAMED = 3  # missing frames that the text names; report.json names all


@dataclass
class Report:
    """The results of an evaluation.

    Attributes:
        model: what was scored, for people.
        data: the reader's description.
        source: the data set and its folder, see `Frames.source`.
        true_units: see `Reader.units_per_metre`.
        units: the unit of stored depth maps, and how it is known; "" for a model.
        rendered: whether the frames are rendered.
        protocol: the protocol; `line` is its text.
        scores: predictor -> reduction ("image", "pixel" and the protocol's, which comes first) ->
            metric -> value. The predictors are the model; for one trained on stereo pairs also the
            blend with its prediction of the mirrored image; and the mean depth map of the run's
            training frames, if it is known.
        frames: for each frame its name, the share of scored pixels ("valid"), "abs_rel", and, if
            predictions are aligned, the "ratio".
        missing: the frames of the list that the data set lacks.
        valid_pixels, all_pixels: scored pixels, and pixels within the protocol's crop.
        distances: the model's errors by band of true depth, see `Scorer.by_distance`.
        published: the row of a paper's table that the model stands for.
        fit: how images of another shape were brought to the network's size; "" for depth maps.
        seen: the share of the frames that the network saw, less than 1 for the fit "crop".
    """

    model: str
    data: str
    rendered: bool
    protocol: Protocol
    scores: dict[str, dict[str, dict[str, float]]]
    frames: list[dict[str, Any]]
    missing: list[str]
    valid_pixels: int
    all_pixels: int
    distances: list[dict[str, float]] = dataclasses.field(default_factory=list)
    published: Row | None = None
    source: str = ""
    true_units: float | None = None
    units: str = ""
    fit: str = ""
    seen: float = 1.0

    @property
    def line(self) -> str:
        return self.protocol.line()

    @property
    def ratios(self) -> dict[str, float] | None:
        """Median of the frames' scale ratios, and standard deviation of ratio / median.

        A small deviation means that one factor would do for all frames. monodepth2 prints the same.
        """
        ratios = [frame["ratio"] for frame in self.frames if frame.get("ratio")]
        if not ratios:
            return None
        median = float(np.median(ratios))
        return {"median": median, "std": float(np.std(np.array(ratios) / median))}

    def summary(self) -> str:
        """Returns the main numbers in a few lines of text."""
        rows = {
            f"{name}, {self.protocol.reduction_text(reduction)}": values
            for name, by_reduction in self.scores.items()
            for reduction, values in by_reduction.items()
        }
        width = max(map(len, rows))  # so that the numbers are in columns
        lines = [self.line]
        for title, values in rows.items():
            numbers = "  ".join(f"{key} {values[key]:.3f}" for key in _SUMMARY if key in values)
            lines.append(f"  {title:>{width}}: {numbers}")
        facts = {"frames": self.data, **self._facts()}
        lines += [f"  {key}: {text}" for key, text in facts.items()]
        if self.published:
            numbers = "  ".join(f"{key} {v:g}" for key, v in self.published.metrics.items())
            lines.append(f"  published, {self.published.title}: {numbers}")
            lines.append(f"  what can be reproduced: {self.published.reproducible}")
        if self.rendered:
            lines.append(f"  {_RENDERED}")
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Returns the content of `report.md`."""
        lines = [f"# Depth on {'rendered' if self.rendered else 'real'} frames", ""]
        if self.rendered:
            lines += [_RENDERED, ""]
        facts = {"model": self.model, "data": self.data, **self._facts()}
        lines += table(["", ""], facts.items(), "ll")
        lines += ["", "![image, ground truth, prediction, error](figures/samples.png)", ""]
        lines += ["## Scores", "", self.line, ""]
        for reduction in self.scores[MODEL]:
            lines += self._table(reduction)
        if BASELINE in self.scores:
            model, baseline = (self.scores[name]["image"]["abs_rel"] for name in (MODEL, BASELINE))
            if baseline:
                lines += [f"REL is {model / baseline:.2f} of that of the {BASELINE} map.", ""]
        if self.distances:
            lines += self._distances()
        if self.published:
            lines += self._comparison(self.published)
        return "\n".join(lines).rstrip("\n") + "\n"

    def write(self, folder: Path) -> None:
        """Writes `report.json` and `report.md`."""
        values = {
            **self.__dict__,
            "published": self.published and dataclasses.asdict(self.published),
            "protocol": self.protocol.name,
            "changed": list(self.protocol.changed),
            "line": self.line,
            "ratios": self.ratios,
            "environment": environment(),
        }
        write_text(folder / "report.json", json.dumps(values, indent=2) + "\n")
        write_text(folder / "report.md", self.to_markdown())

    def _table(self, reduction: str) -> list[str]:
        title = self.protocol.reduction_text(reduction).capitalize()
        if reduction == self.protocol.reduction:
            title += ", as the protocol's source has it"
        rows = []
        for metric in self.scores[MODEL][reduction]:
            scores = [by_reduction[reduction].get(metric) for by_reduction in self.scores.values()]
            values = [None if score is None else f"{score:.4f}" for score in scores]
            rows.append([metric, *values, metrics.describe(metric)])
        align = "l" + "r" * len(self.scores) + "l"
        return [f"### {title}", "", *table(["", *self.scores, ""], rows, align), ""]

    def _distances(self) -> list[str]:
        rows = [
            [
                f"{band['from']:g} to {band['to']:g} m"
                if "to" in band
                else f"{band['from']:g} m on",
                f"{band['share']:.1%}",
                f"{band['abs_rel']:.4f}",
                f"{band['delta1']:.4f}",
            ]
            for band in self.distances
        ]
        header = ["true depth", "pixels", "abs_rel", "delta1"]
        return ["### By distance, pooled pixels", "", *table(header, rows, "lrrr"), ""]

    def _comparison(self, row: Row) -> list[str]:
        """Lists the published row with these scores, and what limits the comparison."""
        here = self.scores[MODEL][self.protocol.reduction]
        rows = [
            [key, f"{value:g}", f"{here[key]:.4f}" if key in here else None]
            for key, value in row.metrics.items()
        ]
        lines = [f"## Published: {row.title}", ""]
        lines += table(["", "published", "here"], rows, "lrr")
        notes = [f"Scored here: {self.data}.", f"What can be reproduced: {row.reproducible}"]
        if self.protocol.name != row.protocol or self.protocol.changed:
            notes.insert(
                0,
                f"The protocol nearest to the paper's scoring is {row.protocol}; these numbers are"
                " under another.",
            )
        return [*lines, "", *(f"- {text}" for text in [*notes, row.note] if text)]

    def _facts(self) -> dict[str, str]:
        share = self.valid_pixels / self.all_pixels
        empty = sum(frame["abs_rel"] is None for frame in self.frames)
        unscored = f" ({empty} of them without a pixel to score)" if empty else ""
        facts = {
            "scored": f"{len(self.frames)} frames{unscored}, {self.valid_pixels:,} of"
            f" {self.all_pixels:,} pixels were valid ({share:.1%})",
            "missing": "none",
        }
        if self.missing:
            first = ", ".join(self.missing[:_NAMED])
            more = ", ... (report.json names all)" if len(self.missing) > _NAMED else ""
            facts["missing"] = f"{len(self.missing)} frames of the list: {first}{more}"
        if self.seen < 1:
            facts["fit"] = f"{self.fit}: {self.seen:.1%} of the frames is seen, and scored"
        elif self.fit not in ("", "stretch"):
            facts["fit"] = self.fit
        if self.true_units:
            facts["unit of the true depth"] = f"1/{self.true_units:g} m"
        if self.units:
            facts["unit of the maps"] = self.units
        for name in self.protocol.extra:
            metric = metrics.MAP_METRICS[name]
            counted = sum(metric.counts(frame[name]) for frame in self.frames)
            low, high = metric.bounds
            others = f"the others' are undefined or not in {low:g}..{high:g}"
            facts[name] = f"of {counted} of {len(self.frames)} images, {others}"
        if self.ratios:
            facts["scale ratios"] = (
                f"median {self.ratios['median']:.3f}, std of ratio / median"
                f" {self.ratios['std']:.3f}"
            )
        return facts
