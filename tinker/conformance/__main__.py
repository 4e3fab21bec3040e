"""`python -m tinker.conformance`: see `--help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tinker import _extras

if TYPE_CHECKING:
    from tinker.conformance.report import Report

_EPILOG = """Exit status: 0 if nothing failed, 1 if a check failed or did not run, 2 if the server cannot be reached or an
argument is invalid. An operation that a server does not offer is not a failure."""


PROGRAM = "python -m tinker.conformance"


def arguments(argv: list[str] | None, prog: str = PROGRAM) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Test any server of the Tinker training API against the contract. Works in a session of its own, "
        "changes nothing it did not create, and cleans up.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--base-url",
        default=os.environ.get("TINKER_BASE_URL"),
        help="the server's address, without /api/v1; `local` for the embedded one (default: TINKER_BASE_URL)",
    )
    parser.add_argument("--api-key", help="the credential (default: TINKER_API_KEY)")
    parser.add_argument(
        "--base-model", default="", help="what to train (default: the first the server offers)"
    )
    parser.add_argument(
        "--time-limit", type=float, default=600.0, metavar="SECONDS", help="default %(default)g"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CHECK",
        help="run this check and those it needs; may be given more than once",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all results, with requests and responses"
    )
    parser.add_argument(
        "--md", type=Path, metavar="FILE", help="write a table to paste into an issue"
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="write JUnit XML, which CI systems show"
    )
    args = parser.parse_args(argv)
    if not args.base_url:
        parser.error("give --base-url, or set TINKER_BASE_URL")
    return args


def main(argv: list[str] | None = None, prog: str = PROGRAM) -> int:
    args = arguments(argv, prog)
    try:
        from tinker.conformance.run import run  # noqa: PLC0415  # --help needs nothing of it
    except ModuleNotFoundError as error:
        return _fail(f"needs the package {error.name}: {_extras.install('local')}")
    from tinker._http import config  # noqa: PLC0415
    from tinker.errors import TinkerError  # noqa: PLC0415

    try:
        settings = config.resolve(args.base_url, args.api_key)
    except (ValueError, TinkerError) as error:
        return _fail(str(error))
    try:
        report = run(
            settings.base_url,
            api_key=settings.api_key,
            base_model=args.base_model,
            time_limit=args.time_limit,
            only=args.only,
        )
    except ValueError as error:
        return _fail(str(error))
    except httpx.RequestError as error:
        return _fail(f"cannot connect to {settings.base_url}: {error}")
    _write(args, report)
    print(report.table())
    if report.details():
        print(f"\n{report.details()}")
    print(f"\n{settings.base_url}: {report.summary}")
    return 0 if report.passed else 1


def _write(args: argparse.Namespace, report: Report) -> None:
    if args.json is not None:
        args.json.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    if args.junit is not None:
        args.junit.write_bytes(report.junit())
    if args.md is not None:
        args.md.write_text(report.markdown(), encoding="utf-8")


def _fail(reason: str) -> int:
    print(f"tinker.conformance: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
