"""Run both nights: python -m tests.reuse_nights [ROWS] [--page PAGE]."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Return 0 if no promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.reuse_nights", description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=200_000, help="of the table")
    parser.add_argument(
        "--page", type=Path, help="the page to write the result into; by default it is printed"
    )
    asked = parser.parse_args()
    from tests.docs.sections import put
    from tests.reuse_nights.nights import broken, run
    from tests.reuse_nights.report import section

    with tempfile.TemporaryDirectory() as folder:
        nights = run(asked.rows, Path(folder))
    part = section(nights)
    if asked.page is None:
        sys.stdout.write(part)
    else:
        asked.page.write_text(put(asked.page.read_text(), part))
    return 1 if broken(nights) else 0


if __name__ == "__main__":
    sys.exit(main())
