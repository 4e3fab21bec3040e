"""The version of this package: the generation of the official SDK it is compatible with, then our own release."""

__version__ = "0.40.0+openapi.1"
SDK_VERSION = __version__.partition("+")[0]
"""The compatible generation; it is sent to servers."""
