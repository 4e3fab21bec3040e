"""age encryption of files for use elsewhere, when the `pyrage` package is installed (extra `age`)."""

from __future__ import annotations

from collections.abc import Sequence

from tinker import _extras
from tinker_local.errors import Refusal


def check(recipients: Sequence[str]) -> None:
    """Reject invalid recipients."""
    try:
        import pyrage  # noqa: PLC0415  # optional
    except ImportError:
        raise Refusal(
            400,
            "age_encryption_recipients: this server cannot encrypt; "
            f"it needs the package pyrage: {_extras.install('age')}",
        ) from None
    for number, recipient in enumerate(recipients):
        try:
            pyrage.x25519.Recipient.from_str(recipient)
        except pyrage.RecipientError as error:
            raise Refusal(
                400,
                f"age_encryption_recipients[{number}] is {recipient[:100]!r}, "
                f"which is not an age recipient (age1…): {error}",
            ) from None


def encrypted(content: bytes, recipients: Sequence[str]) -> bytes:
    """Encrypt the content as an age file for the checked recipients."""
    import pyrage  # noqa: PLC0415

    keys = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
    return bytes(pyrage.encrypt(content, keys))
