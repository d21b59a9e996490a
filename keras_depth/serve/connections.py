"""Connections over HTTP that end when their client is too slow."""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class PunctualConnection(HttpToolsProtocol):
    """uvicorn's connection, which alone would wait for ever for the rest of a request.

    A client has uvicorn's `timeout_keep_alive` seconds to send the whole of a request, and as long
    to take some of an answer that does not fit into the connection.
    """

    _arriving: asyncio.TimerHandle | None = None
    _leaving: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._expect()

    def on_message_begin(self) -> None:  # of every request; a connection may bring several
        super().on_message_begin()
        self._expect()

    def on_message_complete(self) -> None:
        self._arrived()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._leaving = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def resume_writing(self) -> None:
        self._left()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self._left()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._arrived()
        self._arriving = self.loop.call_later(self.timeout_keep_alive, self._late)

    def _arrived(self) -> None:
        if self._arriving:
            self._arriving.cancel()

    def _left(self) -> None:
        if self._leaving:
            self._leaving.cancel()

    def _late(self) -> None:
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            sentence = f"the request did not arrive within {self.timeout_keep_alive} seconds"
            body = orjson.dumps({"error": sentence})
            head = (
                "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
