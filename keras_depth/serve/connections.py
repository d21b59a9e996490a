"""HTTP connections that close when their client is too slow."""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class TimeoutConnection(HttpToolsProtocol):
    """uvicorn's connection with a time limit; uvicorn waits forever for the rest of a request.

    A client has uvicorn's `timeout_keep_alive` seconds to send a whole request. Where an answer
    does not fit into the connection, it has the same time to take some of it.
    """

    _receive_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._start_receiving()

    def on_message_begin(self) -> None:  # of every request; a connection may bring several
        super().on_message_begin()
        self._start_receiving()

    def on_message_complete(self) -> None:
        self._stop_receiving()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._send_timer = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_sending()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_receiving()
        self._stop_sending()
        super().connection_lost(exc)

    def _start_receiving(self) -> None:
        self._stop_receiving()
        self._receive_timer = self.loop.call_later(self.timeout_keep_alive, self._answer_timeout)

    def _stop_receiving(self) -> None:
        if self._receive_timer:
            self._receive_timer.cancel()

    def _stop_sending(self) -> None:
        if self._send_timer:
            self._send_timer.cancel()

    def _answer_timeout(self) -> None:
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            sentence = f"the request did not arrive within {self.timeout_keep_alive} seconds"
            body = orjson.dumps({"error": sentence})
            head = (
                "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
