"""`python -m tinker.cli`: the same as the command `tinker`."""

from __future__ import annotations

from tinker.cli import main

if __name__ == "__main__":
    main()
