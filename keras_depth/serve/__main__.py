"""python -m keras_depth.serve: exported networks behind HTTP and gRPC, and a page to try them."""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from keras_depth.command import count, program, run
from keras_depth.errors import InputError
from keras_depth.predict.exported import find_version, read_details
from keras_depth.predict.loading import resolve

_EXAMPLES = """\
examples:
  python -m keras_depth.export runs/rooms --format saved_model --output exported
  python -m keras_depth.serve exported
  # then open http://localhost:8080/, or
  curl localhost:8080/v1/models

DIR is an exported network, the folder of its versions, or a folder of several such; of each, the
highest version is served. docs/serving.md has the requests. Whoever can reach the ports can use
them: --host 127.0.0.1 keeps to this machine."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    for module in ("kserve", "tensorflow_serving"):
        if importlib.util.find_spec(module) is None:
            raise InputError(f"serving needs {module}: pip install 'keras_depth[serve]'")
    from keras_depth.serve.settings import Settings
    from keras_depth.serve.workers import serve

    options = vars(arguments)
    return serve(Settings(folders=find(options.pop("folder")), **options))


def find(path: Path) -> dict[str, Path]:
    """Returns the networks in a folder: name and version folder of each.

    A network is called as its folder is, in a folder of several, and else as `export.json` says.

    Raises:
        InputError: there is none.
    """
    if find_version(path) is None:
        several = {child.name: find_version(child) for child in sorted(path.glob("*/"))}
        if found := {name: folder for name, folder in several.items() if folder}:
            return found
    folder = resolve(path, "exported").path
    return {read_details(folder)["name"]: folder}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("serve"),
        description="Serves exported networks over HTTP and gRPC.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="what keras_depth.export wrote")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen at (default: all)")
    parser.add_argument("--port", type=count, default=8080, help="HTTP and the page (8080)")
    parser.add_argument("--grpc-port", type=count, default=8081, help="gRPC (8081)")
    parser.add_argument(
        "--workers", type=count, default=1, help="processes, each with its own copy (1)"
    )
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
    return parser


if __name__ == "__main__":
    run(main)
