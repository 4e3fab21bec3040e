"""The arguments of `python -m tinker_local` and `tinker serve`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from tinker_local.protocol import faults


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"tinker_local: {message}\n")


def parse(argv: list[str] | None, prog: str) -> argparse.Namespace:
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
