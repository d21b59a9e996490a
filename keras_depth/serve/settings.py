"""The settings of a server, as its command line gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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
    """

    folders: Mapping[str, Path]
    host: str
    port: int
    grpc_port: int
    max_bytes: int
    timeout: int

    @property
    def grpc_address(self) -> str:
        """host:port of gRPC, an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.grpc_port}"
