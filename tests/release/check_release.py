"""Checks the release tools, the packages and the workflows.

check_release.py FOLDER      the built and packaged files stay there
"""

import pathlib
import sys

import package_claims
import tool_claims
import workflow_claims
from claims import Claims


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    claims = Claims("release")
    for part in (workflow_claims, tool_claims, package_claims):
        claims.each(part.ALL, part.NAME, folder)
    return claims.close()


if __name__ == "__main__":
    sys.exit(main())
