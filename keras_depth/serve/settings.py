"""What the command line says of a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What the command line says.

    Attributes:
        folders: of the exported networks, by the names that clients call them.
        host: address to listen at.
        port: for HTTP.
        grpc_port: for gRPC.
        workers: processes that serve.
        max_bytes: of a request.
        timeout: seconds that a request may take to arrive, and a connection be silent.
    """

    folders: Mapping[str, Path]
    host: str
    port: int
    grpc_port: int
    workers: int
    max_bytes: int
    timeout: int

    @property
    def grpc_address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.grpc_port}"
