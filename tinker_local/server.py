"""Running the server: in a thread of this process, or as the process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from tinker_local.access.hosts import bracketed
from tinker_local.access.keys import KeysFile
from tinker_local.app import make_app
from tinker_local.connections import protocol
from tinker_local.engine.base import Engine
from tinker_local.engine.tiny.engine import TinyEngine
from tinker_local.options import Options
from tinker_local.protocol.faults import Fault, FaultyApp
from tinker_local.state import adoption
from tinker_local.state.catalog import Catalog
from tinker_local.state.folder import DataFolder, DataFolderError
from tinker_local.state.store import Store
from tinker_local.state.temporary import TemporaryFolder

_SHUTDOWN_SECONDS = 1


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, except that it stops as soon as it can: uvicorn looks ten times a second whether it should.

    Made on the event loop that runs it.
    """

    def __init__(self, app: Starlette, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """From any thread, and from signal handlers."""
        self.should_exit = True
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
            self._loop.call_soon_threadsafe(self._stopped.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signal handlers belong to the process (see __main__), not to a server in one of its threads."""
        yield

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # sets the header `Date`
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.backend.scheduler.release_polls()
        for server in self.servers:
            server.close()
        open_ = self.server_state
        for connection in list(open_.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHUTDOWN_SECONDS):
                while open_.connections or open_.tasks:  # noqa: ASYNC110  # sets without an event
                    await asyncio.sleep(0.005)
        for task in open_.tasks:
            task.cancel()
        await self.lifespan.shutdown()


class Server:
    """One server on one port of this machine.

    Raises:
        OSError: The port is taken, or the folder cannot be used.
        DataFolderError: Another server uses the folder, or its content is not this server's or does not match.
        KeysFileError: The keys file cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Path | None = None,
        adopt: bool = False,
        engine: Engine[Any] | None = None,
        options: Options | None = None,
        faults: Sequence[Fault] = (),
        verbose: bool = False,
    ) -> None:
        self._keys = KeysFile(keys)
        self._options = options or Options()
        self._store = Store(DataFolder(folder, adopt=adopt), self._options.clock)
        try:
            adoption.reconcile(
                self._store, Catalog(self._store), self._keys.first_administrator, adopt=adopt
            )
            self._socket = _listen(host, port)
        except (OSError, DataFolderError):
            self._store.close()
            raise
        # Accepted connections inherit it. asyncio does not recognize this socket as TCP and does not set it;
        # the second packet of a response would wait 40 ms for the acknowledgement of the first.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host, self.port = self._socket.getsockname()[:2]
        self._engine: Engine[Any] = engine or TinyEngine()
        self._faults = faults
        self._verbose = verbose
        self._uvicorn: _Uvicorn | None = None
        self._is_stopped = False

    @property
    def url(self) -> str:
        return f"http://{bracketed(self.host)}:{self.port}"

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serve until `stop` is called; `ready` is called when requests are accepted."""
        app = make_app(self._store, self._engine, self._keys, self._options, ready, self._faults)
        routes = [route for route in app.routes if isinstance(route, Route)]
        self._uvicorn = _Uvicorn(
            app,
            uvicorn.Config(
                FaultyApp(app, routes, self._faults) if self._faults else app,
                http=protocol(self._options),
                log_config=None,
                access_log=self._verbose,
                lifespan="on",
                timeout_keep_alive=75,
                ws="none",
                server_header=False,
            ),
        )
        if self._is_stopped:  # while it started
            self._uvicorn.stop()
        try:
            await self._uvicorn.serve([self._socket])
        finally:
            self._socket.close()
            self._store.close()

    def stop(self) -> None:
        """Stop soon: open requests get one second. From any thread, and from signal handlers."""
        self._is_stopped = True
        if self._uvicorn is not None:
            self._uvicorn.stop()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; `::` also accepts IPv4, where the machine supports it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=2048, dualstack_ipv6=both)


class LocalServer:
    """The embedded server in a thread of this process.

        with LocalServer() as server:
            service = tinker.ServiceClient(base_url=server.url)

    Args:
        data: Folder of the server's state; None uses one that is deleted at the end.
        host: Address to listen on.
        port: Port; 0 picks a free one.
        keys: File of accepted keys; None accepts any key of the right format.
        adopt: Take over checkpoints in the folder that its database does not know.
        engine: The engine; None means the tiny engine.
        options: Waiting times and limits.
        faults: Rules of `tinker_local.protocol.faults`, as `optim_step:drop=after:times=1`.

    Raises:
        OSError: The port is taken.
        DataFolderError: Another server uses the folder, or its content is not this server's or does not match.
        FaultRuleError: A rule is invalid.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: str | os.PathLike[str] | None = None,
        adopt: bool = False,
        engine: Engine[Any] | None = None,
        options: Options | None = None,
        faults: Sequence[str] = (),
    ) -> None:
        self.faults = [Fault.parse(rule) for rule in faults]
        self._temporary = TemporaryFolder() if data is None else None
        folder = self._temporary.path if self._temporary else Path(os.fspath(data or ""))
        self._server = Server(
            folder,
            host=host,
            port=port,
            keys=None if keys is None else Path(keys),
            adopt=adopt,
            engine=engine,
            options=options,
            faults=self.faults,
        )
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="tinker-local", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise RuntimeError(
                f"The embedded server did not start: {self._failure!r}."
            ) from self._failure

    @property
    def url(self) -> str:
        """Where it listens, as `http://127.0.0.1:43210`."""
        return self._server.url

    def _run(self) -> None:
        # Not asyncio.run: it starts a thread at its end, which Python 3.12 forbids while the interpreter exits.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._server.serve(self._ready.set))
            loop.run_until_complete(_cancel_all())
            loop.run_until_complete(loop.shutdown_asyncgens())
        except BaseException as error:
            self._failure = error  # the constructor raises it; after that, it is for the log
            if self._ready.is_set():
                raise
        finally:
            loop.close()
            self._ready.set()

    def close(self) -> None:
        """Stop, and delete the folder if it is a temporary one."""
        self._server.stop()
        self._thread.join(_SHUTDOWN_SECONDS + 5)
        if self._temporary is not None:
            self._temporary.delete()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def _cancel_all() -> None:
    """Cancel the tasks that still run on the loop."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
