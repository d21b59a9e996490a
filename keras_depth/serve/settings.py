"""The settings of a server, as its command line gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_depth.geometry import Intrinsics


@dataclass(frozen=True)
class Settings:
    """The settings of a server.

    Attributes:
        folders: of the exported networks, by the names that clients call them.
        host: the address to listen at.
        port: for HTTP.
        grpc_port: for gRPC.
        max_bytes: the largest request.
        timeout: seconds that a request may take to arrive, and a connection may be silent.
        fit: how pictures are brought to a network's size; None: as each network says.
        intrinsics: of the camera of all pictures, in their pixels; None: not known.
        fov: instead, its horizontal field of view, degrees.
    """

    folders: Mapping[str, Path]
    host: str
    port: int
    grpc_port: int
    max_bytes: int
    timeout: int
    fit: str | None = None
    intrinsics: Intrinsics | None = None
    fov: float | None = None

    @property
    def url(self) -> str:
        """Where a browser on this machine opens the page."""
        return f"http://{self._reached_at}:{self.port}/"

    @property
    def grpc_target(self) -> str:
        """host:port of gRPC for clients on this machine."""
        return f"{self._reached_at}:{self.grpc_port}"

    @property
    def grpc_address(self) -> str:
        """host:port at which gRPC listens."""
        return f"{_bracketed(self.host)}:{self.grpc_port}"

    @property
    def _reached_at(self) -> str:
        every = self.host in ("0.0.0.0", "::")  # where one listens, but nobody connects to
        return "127.0.0.1" if every else _bracketed(self.host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
