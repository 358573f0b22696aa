"""moto's server with some callers, on a free port."""

import json
import logging

import boto3
from moto.server import ThreadedMotoServer

from service import request

ANYONE = {"region_name": "us-east-1", "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
          "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}


class Moto:
    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def __enter__(self):
        self.server.start()
        self.address = "%s:%d" % self.server.get_host_and_port()
        self.url = f"http://{self.address}"
        return self

    def __exit__(self, *_):
        self.server.stop()

    def client(self, service, **credentials):
        return boto3.client(service, endpoint_url=self.url, **ANYONE | credentials)

    def user(self, name, path="/"):
        """A user with an access key."""
        iam = self.client("iam")
        iam.create_user(UserName=name, Path=path)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"stsAccessKey": key["AccessKeyId"], "stsSecretKey": key["SecretAccessKey"]}

    def role(self, name):
        """A role that anyone may assume; its ARN."""
        iam = self.client("iam")
        return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]

    def session(self, role, name):
        """A session of a role."""
        sts = self.client("sts")
        key = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
        return {"stsAccessKey": key["AccessKeyId"], "stsSecretKey": key["SecretAccessKey"],
                "stsSessionToken": key["SessionToken"]}

    def check_signatures(self):
        """Enables the checks of signatures and tokens."""
        answer = request(self.address, "POST", "/moto-api/reset-auth", "0", {"Content-Type": "text/plain"})
        assert answer.status == 200, answer.body
