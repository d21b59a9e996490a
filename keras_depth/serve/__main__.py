"""python -m keras_depth.serve: exported networks behind HTTP and gRPC, and a page to try them."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_depth.command import count, load_tensorflow, program, run
from keras_depth.errors import check_installed
from keras_depth.export.camera import find_camera
from keras_depth.export.request import Request
from keras_depth.files import sha256
from keras_depth.letterbox import place
from keras_depth.predict import camera
from keras_depth.predict.exported import read_details
from keras_depth.predict.loading import Source, networks_in, resolve

_EXAMPLES = """\
examples:
  python -m keras_depth.export runs/rooms --format saved_model --output exported
  python -m keras_depth.serve exported
  # then open http://localhost:8080/, or
  curl localhost:8080/v1/models

DIR is an exported network, the folder of its versions, or a folder of several such; of each, the
highest version is served. A run or a preset is exported first. docs/serving.md has the requests.
The server listens on 127.0.0.1, for this machine alone; --host 0.0.0.0 opens it to everyone who can
reach its ports."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    check_installed("serve", "kserve")
    from keras_depth.serve.server import serve
    from keras_depth.serve.settings import Settings

    options = vars(arguments)
    serve(Settings(folders=find(options.pop("folder")), **options))
    return 0


def find(path: Path) -> dict[str, Path]:
    """Finds the networks to serve: name and version folder of each.

    A network in a folder of networks is called as its own folder is; any other as its `export.json`
    says.

    Raises:
        InputError: there is none.
    """
    if networks := networks_in(path):
        return networks
    source = resolve(path)
    folder = source.path if source.kind == "exported" else _export(source)
    return {read_details(folder)["name"]: folder}


def _export(source: Source) -> Path:
    """Returns the SavedModel of a network that is not exported; writes it unless it is there."""
    request = Request(source.path, "saved_model", source.results / "exported" / "saved_model")
    for version in networks_in(request.output).values():
        if _is_current(read_details(version), source, request):
            return version
    load_tensorflow()
    from keras_depth.export import exporter

    written = exporter.export(request)[0]
    print(f"{source.path}: exported to {written.folder}")
    return written.folder


def _is_current(details: dict[str, Any], source: Source, request: Request) -> bool:
    """Returns whether an export is what the request would write of the network as it is now.

    The run may have been trained on, or calibrated, since; and others may have exported it in
    another way.
    """
    if details["model"]["sha256"] != sha256(source.model_file):
        return False
    own, fit = tuple(details["model"]["size"]), source.run_folder.fit()
    wanted = find_camera(request, place(own, own, fit)).describe()
    entries = {key: details.get(key) for key in ("camera", "calibration")}
    size = details["input"]["shape"][1:3]
    return (
        details.get("fit") == fit
        and list(own) == size
        and entries == {"calibration": None, **json.loads(json.dumps(wanted))}
    )


def _port(text: str) -> int:
    """Parses the number of a port; a type for argparse."""
    if (number := count(text)) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: give a port, 1 to 65535")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("serve"),
        description="Serves exported networks over HTTP and gRPC.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="what keras_depth.export wrote, a run folder or a preset",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (127.0.0.1, this machine alone; 0.0.0.0 is every address)",
    )
    parser.add_argument("--port", type=_port, default=8080, help="HTTP and the page (8080)")
    parser.add_argument("--grpc-port", type=_port, default=8081, help="gRPC (8081)")
    parser.add_argument(
        "--max-bytes", type=count, default=1 << 24, help="of a request (16777216, 16 MiB)"
    )
    parser.add_argument(
        "--timeout",
        type=count,
        default=65,
        metavar="SECONDS",
        help="for a request to arrive, and for a silent connection (65)",
    )
    camera.add_arguments(
        parser,
        "of the camera of all pictures, in their pixels: metres are scaled to it",
        " (default: as its export.json says)",
    )
    return parser


if __name__ == "__main__":
    run(main)
