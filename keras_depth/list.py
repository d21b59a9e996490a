"""python -m keras_depth.list: shows the presets that come with the package, and the networks."""

import argparse
from typing import Any

from keras_depth import presets
from keras_depth.command import load_tensorflow, program, run, suggest
from keras_depth.markdown import table


def main() -> int:
    argparse.ArgumentParser(
        prog=program("list"),
        description="Shows the presets (trained networks that come with the package, which every"
        " command takes as RUN), and the networks that can be trained.",
    ).parse_args()
    print("\n".join(["Presets: trained networks, for any command's RUN", "", *_presets()]))
    load_tensorflow()
    print("\n".join(["", "Networks: for `train --arch`", "", *_networks(), ""]))
    suggest("predict", presets.list_presets()[0], "room.jpg", "--output", "out")
    return 0


def _presets() -> list[str]:
    rows = []
    for name in presets.list_presets():
        folder = presets.find(name)
        if folder is not None:
            size = (folder / presets.MODEL).stat().st_size
            rows.append([name, *_describe(presets.read_card(folder)), f"{size / 1e6:.1f} MB"])
    return table(["name", "network", "size", "trained on", "scores", "file"], rows, "llllll", True)


def _describe(card: dict[str, Any]) -> list[str]:
    height, width = card["input_size"]
    results = card["model-index"][0]["results"][:1]  # those on the data's own test frames
    scores = [
        f"{metric['name']} {metric['value']:.3f}"
        for result in results
        for metric in result["metrics"]
        if metric["name"] in ("abs_rel", "delta1")
    ]
    return [
        card["architecture"],
        f"{height}x{width}",
        ", ".join(card["datasets"]),
        ", ".join(scores),
    ]


def _networks() -> list[str]:
    from keras_depth import models

    rows = []
    for name in models.list_architectures():
        architecture = models.get(name)
        parameters, _ = architecture.parameters
        rows.append([name, architecture.paper, f"{parameters:,}", architecture.description])
    return table(["name", "paper", "parameters", "what it is"], rows, "llrl", True)


if __name__ == "__main__":
    run(main)
