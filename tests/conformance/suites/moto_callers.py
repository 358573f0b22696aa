"""A user, a role and wrong credentials of both, on moto with authentication: compares the service's answers with
boto3's."""

import os

from comparison import ask_function, differences_of
from moto_server import Moto
from report import Suite
from service import Program, clean_this_process, verify

# New in each answer.
CHANCE = {"RequestId", "date", "x-amzn-requestid"}


def main():
    clean_this_process(AWS_DEFAULT_REGION="us-east-1")
    suite = Suite("moto")
    with Moto() as moto:
        user = moto.user("2k@twok.com-CLI", "/division_abc/")
        session = moto.session(moto.role("Role"), "Session")
        other = moto.session(moto.role("Other"), "Session")
        moto.check_signatures()
        os.environ["AWS_ENDPOINT_URL_STS"] = moto.url
        with Program("serve", AWS_ENDPOINT_URL_STS=moto.url) as program:
            for name, credentials, code in (
                ("a user", user, None),
                ("an assumed role", session, None),
                ("another role", other, None),
                ("a user's wrong secret", user | {"stsSecretKey": session["stsSecretKey"]}, "SignatureDoesNotMatch"),
                ("a role's wrong secret", session | {"stsSecretKey": "x" * 40}, "SignatureDoesNotMatch"),
                ("a role without its token", session | {"stsSessionToken": None}, "InvalidClientTokenId"),
                ("a role with another's token", session | {"stsSessionToken": other["stsSessionToken"]},
                 "InvalidClientTokenId"),
                ("an unknown key", user | {"stsAccessKey": "AKIAUNKNOWN00EXAMPLE"}, "InvalidClientTokenId"),
            ):
                suite.result(name, compare(program, credentials, code))
    suite.close("all agree")


def compare(program, credentials, code):
    expected = ask_function(credentials)
    if isinstance(expected, Exception):
        return [f"the function crashed: {expected!r}"]
    ours = verify(program.address, credentials)
    # moto formats its errors like EC2 (`Response`, `Errors`), which STS never does, so nothing is known about the
    # credentials.
    found = differences_of(expected, ours, "indeterminate", CHANCE)
    said = dict(ours.json()).get("error_code")
    return found + ([f"code: wanted {code}, ours {said}"] if said != code else [])


if __name__ == "__main__":
    main()
