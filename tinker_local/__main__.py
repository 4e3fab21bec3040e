"""`python -m tinker_local`: see `--help`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from tinker import _extras

if TYPE_CHECKING:
    from tinker_local.server import Server


PROGRAM = "python -m tinker_local"


def _bounded() -> Callable[[logging.LogRecord], bool]:
    """Limits each warning to ten times a minute, because clients can cause any number of them."""
    minute, counts = 0.0, Counter[tuple[str, object]]()

    def lets_through(record: logging.LogRecord) -> bool:
        nonlocal minute
        if record.levelno < logging.WARNING:
            return True
        if record.created - minute >= 60:
            minute = record.created
            counts.clear()
        key = record.name, record.msg
        counts[key] += 1
        return counts[key] <= MAX_WARNINGS_A_MINUTE

    return lets_through


MAX_WARNINGS_A_MINUTE = 10


def main(argv: list[str] | None = None, prog: str = PROGRAM) -> int:
    try:
        from tinker_local.arguments import parse  # noqa: PLC0415

        args = parse(argv, prog)  # --help needs no server
        from tinker_local.access.hosts import bracketed  # noqa: PLC0415
        from tinker_local.access.keys import KeysFileError  # noqa: PLC0415
        from tinker_local.connections import raise_file_limit  # noqa: PLC0415
        from tinker_local.engine.select import ModelError, select  # noqa: PLC0415
        from tinker_local.options import Options  # noqa: PLC0415
        from tinker_local.server import Server  # noqa: PLC0415
        from tinker_local.state.folder import DataFolderError, DataFolderInUse  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return _fail(f"the server needs the package {error.name}: {_extras.install('local')}")
    _log(logging.INFO if args.verbose else logging.WARNING)
    raise_file_limit()
    try:
        engine, summaries = select(args.models, device=args.device, dtype=args.dtype)
        for line in summaries:
            print(line, file=sys.stderr, flush=True)
        server = Server(
            args.data,
            host=args.host,
            port=args.port,
            keys=args.keys,
            engine=engine,
            adopt=args.adopt,
            options=Options(jwt=args.jwt, feed=args.feed, allow_hosts=tuple(args.allow_hosts)),
            faults=args.faults,
            verbose=args.verbose,
        )
    except DataFolderInUse as error:
        return _fail(f"{error}: stop that one, or give this one another folder with --data")
    except (KeysFileError, DataFolderError, ModelError) as error:
        return _fail(str(error))
    except OSError as error:
        if error.filename is not None:
            return _fail(f"cannot use {error.filename}: {error.strerror}")
        reason = (error.strerror or str(error)).partition(" (while attempting")[0]
        return _fail(f"cannot listen on {bracketed(args.host)}:{args.port}: {reason}")
    return asyncio.run(_serve(server))


def _log(level: int) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(_bounded())
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler]
    )


async def _serve(server: Server) -> int:
    # Models bring hundreds of thousands of objects that stay; each full garbage collection would pause for them.
    gc.freeze()
    # The engine's thread lets the event loop have Python's lock after a fifth of the usual time.
    sys.setswitchinterval(0.001)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    await server.serve(lambda: print(f"ready {server.url}", flush=True))
    logging.shutdown()
    # The engine's thread may be in the middle of a step. Uncommitted work is repeated after a restart, so
    # the process does not wait for it.
    os._exit(0)


def _fail(reason: str) -> int:
    print(f"tinker_local: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
