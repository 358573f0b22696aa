"""The sandbox's callers, read from the program's output at start, so they are not duplicated here."""

import re
from dataclasses import dataclass

ROW = re.compile(r"^((?:AKIA|ASIA)\w{16})\s+(\S{40})\s+([a-z]+(?:-[a-z]+)+-\d)\s+(\S.*)$")
TOKEN = re.compile(r"^(ASIA\w{16})\s+(\S+)$")


@dataclass(frozen=True)
class Caller:
    access_key: str
    secret_key: str
    session_token: str | None
    region: str
    what: str

    def question(self):
        values = {"stsAccessKey": self.access_key, "stsSecretKey": self.secret_key, "region": self.region}
        return values | ({"stsSessionToken": self.session_token} if self.session_token else {})

    def boto3(self):
        return {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key,
                "aws_session_token": self.session_token, "region_name": self.region}

    def environment(self):
        values = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key,
                  "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        return values | ({"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {})


def callers(lines):
    """Reads the table out of what the program wrote."""
    tokens = dict(found.groups() for found in map(TOKEN.match, map(str.rstrip, lines)) if found)
    rows = [found.groups() for found in map(ROW.match, map(str.rstrip, lines)) if found]
    assert rows, "the program printed no table of callers"
    table = [Caller(key, secret, tokens.get(key), region, what) for key, secret, region, what in rows]
    assert all(bool(caller.session_token) == caller.access_key.startswith("ASIA") for caller in table)
    return table


def named(table, words):
    """The only row with this prefix in its description."""
    found = [caller for caller in table if caller.what.startswith(words)]
    assert len(found) == 1, f"{len(found)} rows are {words!r}"
    return found[0]
