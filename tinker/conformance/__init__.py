"""Does a server keep the contract? One report for any server of the Tinker training API.

    python -m tinker.conformance --base-url URL [--api-key KEY] [--json FILE] [--md FILE]

Each operation of the contract and each rule that crosses operations is a check that passes, fails, or is not
offered. A failure comes with the request, the response, and the sentence of the contract that it breaks. The checks
work in a session of their own, change nothing that they did not create, delete their checkpoints at the end, and stop
at a time limit. Needs the `local` extra, for its schema validator and the protobuf messages.
"""

from tinker.conformance.report import Outcome, Report, Result
from tinker.conformance.run import run

__all__ = ["Outcome", "Report", "Result", "run"]
