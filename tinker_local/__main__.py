"""`python -m tinker_local`: see `--help`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tinker_local.protocol import faults

if TYPE_CHECKING:
    from tinker_local.server import Server


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"tinker_local: {message}\n")


PROGRAM = "python -m tinker_local"


def arguments(argv: list[str] | None, prog: str = PROGRAM) -> argparse.Namespace:
    parser = _Parser(
        prog=prog,
        description="A server of the Tinker training API for this machine, with a small model that really trains.",
        epilog="Prints one line, `ready http://HOST:PORT`, when it accepts requests. Accepted requests\n"
        f"survive a crash: start it again with the same --data.\n\n{faults.__doc__}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default %(default)s)"
    )
    parser.add_argument(
        "--port", type=_port, default=8000, help="port; 0 picks a free one (default %(default)s)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        dest="allow_hosts",
        help="name under which clients reach the server, besides localhost; may be given several times",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(".tinker-local"),
        metavar="DIR",
        help="folder for its state and checkpoints (default %(default)s)",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        dest="models",
        help="offer the language model of a Hugging Face folder or GGUF file in place of the small one; may be given "
        "several times; needs the extra hf",
    )
    parser.add_argument(
        "--device", help="device of models, in torch's notation (default: a GPU if available)"
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        help="precision of models (default: bfloat16 on CUDA devices, else float32)",
    )
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="file with accepted API keys, one for each line, optionally with a user name and `admin`; without it, any key is accepted",
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="take over checkpoints in --data that its database does not know, as when it was lost; they "
        "belong to the first administrator",
    )
    parser.add_argument(
        "--fault",
        action="append",
        type=_fault,
        default=[],
        metavar="RULE",
        dest="faults",
        help="fail on purpose, to test a client: see below; may be given several times",
    )
    parser.add_argument(
        "--jwt",
        action="store_true",
        help="tell clients to exchange their keys for short-lived tokens",
    )
    parser.add_argument(
        "--feed",
        action="store_true",
        help="tell clients to learn of finished samples from one feed instead of one poll for each",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log every request")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _fault(text: str) -> faults.Fault:
    try:
        return faults.Fault.parse(text)
    except faults.FaultRuleError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
    args = arguments(argv, prog)
    level = logging.INFO if args.verbose else logging.WARNING
    handler = logging.StreamHandler()
    handler.addFilter(_bounded())
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler]
    )
    from tinker_local.access.hosts import bracketed  # noqa: PLC0415
    from tinker_local.access.keys import KeysFileError  # noqa: PLC0415  # --help needs no server
    from tinker_local.connections import raise_file_limit  # noqa: PLC0415
    from tinker_local.engine.select import ModelError, select  # noqa: PLC0415
    from tinker_local.options import Options  # noqa: PLC0415
    from tinker_local.server import Server  # noqa: PLC0415
    from tinker_local.state.folder import DataFolderError, DataFolderInUse  # noqa: PLC0415

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
