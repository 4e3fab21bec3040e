"""Where the credential goes, as the contract's security scheme says."""

from typing import Final

HEADER: Final = "X-API-Key"
PREFIX: Final = ""
