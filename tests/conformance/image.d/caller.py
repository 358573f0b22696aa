"""Reads the table that the sandbox prints on its start, and prints the body of a POST /verify for one of its rows.

    podman logs sandbox | caller.py WORDS

The row is the first that shows WORDS.
"""

import json
import re
import sys


def main():
    words, text = sys.argv[1], sys.stdin.read()
    rows = re.findall(r"^(A[KS]IA\w+)  (\S+)  (\S+) +(.*)$", text, re.MULTILINE)
    tokens = dict(re.findall(r"^(ASIA\w+)  (\S+)$", text, re.MULTILINE))
    found = next((row for row in rows if words in row[3]), None)
    if found is None:
        sys.exit(f"caller.py: the sandbox's table has no row that shows {words!r}")
    key, secret, region, _ = found
    body = {"stsAccessKey": key, "stsSecretKey": secret, "stsSessionToken": tokens.get(key), "region": region}
    print(json.dumps(body))


if __name__ == "__main__":
    main()
