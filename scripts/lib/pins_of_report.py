"""Turn the JSON report of `pip install --dry-run` on standard input into sorted `name==version` lines."""

import json
import re
import sys

OURS = "edgesync"


def main() -> None:
    """Print one line per distribution, without our own."""
    found = (item["metadata"] for item in json.load(sys.stdin)["install"])
    pins = {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in found}
    for name in sorted(pins.keys() - {OURS}):
        print(f"{name}=={pins[name]}")


if __name__ == "__main__":
    main()
