"""A visitor's session with the page, without a browser that draws it.

Speaks what Streamlit's own page speaks: protobuf messages over a WebSocket, and files by HTTP, as
far as this page needs them. Visitors draw the page on machines of their own; here only the server
is worn, so that one small machine can send many at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

WAIT = 120.0  # s for anything on the page
XSRF = "_streamlit_xsrf"  # the cookie that an upload has to name
FRAGMENT = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
WHOLE = ForwardMsg.FINISHED_SUCCESSFULLY


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Session]:
    """Lend a session in which the page, at http://..., was asked for."""
    health = await asyncio.to_thread(requests.get, f"{address}/_stcore/health")
    stream = f"ws{address.removeprefix('http')}/_stcore/stream"
    async with connect(stream, subprotocols=["streamlit"], max_size=None) as socket:
        session = Session(address, health.cookies[XSRF], socket)
        try:
            await session.run()
            yield session
        finally:
            session.leave()


class Session:
    """What the server told of the page, and what the visitor did to it."""

    def __init__(self, address: str, xsrf: str, socket: ClientConnection) -> None:
        self._address, self._xsrf, self._socket = address, xsrf, socket
        self._elements: dict[tuple, Any] = {}  # of the last run that ended, by place
        self._arriving: dict[tuple, Any] = {}  # of the run at work
        self._states: dict[str, WidgetState] = {}  # of the widgets that were touched
        self._repeated: dict[str, asyncio.Task] = {}  # fragments that run by themselves
        self._news = asyncio.Event()
        self._urls: list = []
        self._id = ""
        self._listening = asyncio.create_task(self._listen())

    def leave(self) -> None:
        """Stop all that this session does by itself."""
        for task in (self._listening, *self._repeated.values()):
            task.cancel()

    # --- What is on the page ---

    def all(self, kind: str) -> list:
        """Return the elements of that kind, such as "button", from top to bottom of the script."""
        elements = self._elements.values()
        return [getattr(one, kind) for one in elements if one.WhichOneof("type") == kind]

    async def until(self, there: Callable[[], Any]) -> Any:
        """Return what `there` finds, once it finds something; TimeoutError after WAIT."""
        async with asyncio.timeout(WAIT):
            while not (found := there()):
                if self._listening.done():
                    await self._listening
                self._news.clear()
                await self._news.wait()
        return found

    # --- What a visitor does ---

    async def click(self, label: str) -> None:
        """Click the first button with that label, once it is there."""
        find = self._finder("button", lambda one: one.label == label and not one.disabled)
        button = await self.until(find)
        await self.run(WidgetState(id=button.id, trigger_value=True))

    async def open(self, label: str) -> None:
        """Open the first popover with that label, once it is there."""
        popover = await self.until(self._finder("popover", lambda one: one.label == label))
        self._states[popover.id] = WidgetState(id=popover.id, bool_value=True)
        await self.run()

    async def upload(self, files: dict[str, bytes]) -> None:
        """Upload files, by name, in place of those before."""
        uploader = await self.until(self._finder("file_uploader", bool))
        request = BackMsg()
        request.file_urls_request.file_names.extend(files)
        request.file_urls_request.session_id = self._id
        self._urls = []
        await self._socket.send(request.SerializeToString())
        urls = await self.until(lambda: self._urls)
        state = self._states[uploader.id] = WidgetState(id=uploader.id)
        for (name, content), place in zip(files.items(), urls, strict=True):
            await asyncio.to_thread(self._put, place.upload_url, name, content)
            state.file_uploader_state_value.uploaded_file_info.add(
                name=name, size=len(content), file_id=place.file_id, file_urls=place
            )
        await self.run()

    async def run(self, trigger: WidgetState | None = None, fragment: str = "") -> None:
        """Have the script run, or a fragment of it, with all that was chosen and this trigger."""
        request = BackMsg()
        request.rerun_script.fragment_id = fragment
        request.rerun_script.is_auto_rerun = bool(fragment)
        kinds = "button_group", "file_uploader", "popover"
        there = {one.id for kind in kinds for one in self.all(kind)}
        states = [state for key, state in self._states.items() if key in there]
        request.rerun_script.widget_states.widgets.extend(states + ([trigger] if trigger else []))
        await self._socket.send(request.SerializeToString())

    # --- How it is done ---

    def _finder(self, kind: str, fits: Callable[[Any], bool]) -> Callable[[], Any]:
        """Return what finds the first element of that kind that fits."""
        return lambda: next(filter(fits, self.all(kind)), None)

    def _put(self, url: str, name: str, content: bytes) -> None:
        """Send a file to the place that the server gave it."""
        done = requests.put(
            self._address + url,
            files={name: (name, content)},
            headers={"X-Xsrftoken": self._xsrf},
            cookies={XSRF: self._xsrf},
        )
        done.raise_for_status()

    async def _listen(self) -> None:
        """Take in all that the server says."""
        try:
            async for data in self._socket:
                self._take(ForwardMsg.FromString(data))
                self._news.set()
        finally:
            self._news.set()  # whoever waits learns why nothing will come

    def _take(self, message: ForwardMsg) -> None:
        """Take in one message."""
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._id = message.new_session.initialize.session_id
            self._begin(bool(message.metadata.run.fragment_ids))
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            assert element.WhichOneof("type") != "exception", element.exception
            self._arriving[tuple(message.metadata.delta_path)] = element
        elif kind == "delta" and message.delta.WhichOneof("type") == "add_block":
            self._arriving[tuple(message.metadata.delta_path)] = message.delta.add_block
        elif kind == "script_finished" and message.script_finished in (WHOLE, FRAGMENT):
            self._elements = self._arriving
        elif kind == "auto_rerun":
            again = message.auto_rerun
            self._stop(again.fragment_id)
            self._repeated[again.fragment_id] = asyncio.create_task(self._repeat(again))
        elif kind == "file_urls_response":
            self._urls = list(message.file_urls_response.file_urls)

    def _begin(self, of_fragment: bool) -> None:
        """Begin a run: a fragment's adds to what has arrived, another's begins an empty page.

        The server may keep the end of a whole run to itself when a fragment's follows at once.
        """
        if of_fragment:
            return
        self._arriving = {}
        for fragment in list(self._repeated):
            self._stop(fragment)

    def _stop(self, fragment: str) -> None:
        """Let a fragment run by itself no longer."""
        if task := self._repeated.pop(fragment, None):
            task.cancel()

    async def _repeat(self, again: Any) -> None:
        """Have a fragment run again and again, as the server wished."""
        while True:
            await asyncio.sleep(again.interval)
            await self.run(fragment=again.fragment_id)
