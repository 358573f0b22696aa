"""Lints deploy/ecs/template.yaml, compares it with the models of AWS's APIs, and checks its documented properties."""

import re
import subprocess
import sys

import aws_requests
import ecs_promises as promises
import program
import template
from claims import Claims

TEMPLATE = program.ROOT / "deploy/ecs/template.yaml"

# With the required parameters, and with all parameters.
REQUIRED = {
    "VpcId": "vpc-1",
    "SubnetIds": ["subnet-1", "subnet-2", "subnet-3"],
    "ListenerArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/name/1/2",
    "LoadBalancerSecurityGroupId": "sg-lb",
    "HostName": "sts-verify.example.com",
    "Image": "registry.example/sts-verify@sha256:0",
}
OPTIONAL = {
    "AssignPublicIp": "ENABLED",
    "Architecture": "ARM64",
    "DesiredCount": 0,
    "RateLimit": "50/s",
    "ApiKeys": f"sha256:{'0123456789abcdef' * 4} team-a,{'fedcba9876543210' * 4}",
    "RedisUrlSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sts-verify-redis-a1b2c3",
    "RedisSecurityGroupId": "sg-redis",
    "CreateStsEndpoint": "true",
    "MetricsSecurityGroupId": "sg-metrics",
}


def lint(claims):
    done = subprocess.run(
        ["cfn-lint", "--include-checks", "I", "--regions", "us-east-1", "eu-west-1", "--", str(TEMPLATE)],
        text=True,
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).strip()
    claims.none("cfn-lint reports nothing", said or (f"exit code {done.returncode}" if done.returncode else None))


def check_shapes(claims, name, stack):
    for resource, (kind, properties) in stack.resources.items():
        for service, operation, parameters in aws_requests.REQUESTS[kind](properties):
            title = f"{name}: {resource}: botocore's model of {service} {operation} knows every parameter"
            claims.none(title, aws_requests.problems(service, operation, parameters))


def check_command(claims, parameters):
    """The command in the documentation has all required parameters, and no unknown ones."""
    text = re.sub(r"\\\n\s*", " ", program.read("docs/deploying.md"))
    commands = re.findall(
        r"^ +aws cloudformation deploy .*--template-file deploy/ecs/template\.yaml.*$", text, re.MULTILINE
    )
    given = [set(re.findall(r"\b([A-Z][A-Za-z]+)=", command)) for command in commands]
    claims.true("docs/deploying.md has the command", bool(given))
    if given:
        required = {name for name, about in parameters.items() if "Default" not in about}
        claims.none("its first use gives every parameter that has no default", sorted(required - given[0]))
        claims.none("every parameter it gives is one of the template's", sorted(set().union(*given) - set(parameters)))


def main():
    claims = Claims("ecs")
    lint(claims)
    loaded = template.load(TEMPLATE)
    for name, parameters in {"as it is": REQUIRED, "with everything": REQUIRED | OPTIONAL}.items():
        stack = template.Stack(loaded, parameters)
        claims.each([check_shapes], name, stack)
        promises.check(claims, name, stack)
    check_command(claims, loaded["Parameters"])
    strange = program.unknown(program.named_in("deploy/ecs"))
    claims.none("every variable named in deploy/ecs is one that the program knows", strange)
    return claims.close()


if __name__ == "__main__":
    sys.exit(main())
