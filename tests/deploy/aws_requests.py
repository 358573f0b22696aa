"""The API requests that CloudFormation would send for a stack, checked against botocore's models of these APIs.

CloudFormation uses the names of the APIs; those of ECS and CloudWatch Logs begin with a capital letter there. Names
that differ otherwise are mapped here.
"""

import json

import botocore.session
from botocore.validate import ParamValidator

SESSION = botocore.session.Session()


def lower(node):
    """As in ECS's API: names begin with a small letter. The options of a log driver are its own."""
    if isinstance(node, list):
        return [lower(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {name[0].lower() + name[1:]: lower(item) for name, item in node.items()}


def without(properties, *names):
    return {name: item for name, item in properties.items() if name not in names}


def permission(rule):
    """A rule of a security group: each kind of peer has its own list."""
    group = ("UserIdGroupPairs", "GroupId")
    who = {"SourceSecurityGroupId": group, "DestinationSecurityGroupId": group, "CidrIp": ("IpRanges", "CidrIp")}
    ((source, (field, key)),) = ((name, to) for name, to in who.items() if name in rule)
    return without(rule, source, "Description") | {field: [{key: rule[source], "Description": rule["Description"]}]}


def security_group(group):
    yield "ec2", "CreateSecurityGroup", {
        "GroupName": "name",
        "Description": group["GroupDescription"],
        "VpcId": group["VpcId"],
    }
    for way in ("Ingress", "Egress"):
        rules = [permission(rule) for rule in group[f"SecurityGroup{way}"]]
        yield "ec2", f"AuthorizeSecurityGroup{way}", {"GroupId": "sg-1", "IpPermissions": rules}


def target_group(group):
    yield "elbv2", "CreateTargetGroup", without(group, "TargetGroupAttributes") | {"Name": "name"}
    yield "elbv2", "ModifyTargetGroupAttributes", {
        "TargetGroupArn": "arn",
        "Attributes": group["TargetGroupAttributes"],
    }


def role(properties):
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    yield "iam", "CreateRole", without(properties, "Policies") | {"RoleName": "name", "AssumeRolePolicyDocument": trust}
    for policy in properties["Policies"]:
        yield "iam", "PutRolePolicy", policy | {
            "RoleName": "name",
            "PolicyDocument": json.dumps(policy["PolicyDocument"]),
        }


def scaling_policy(policy):
    target = {"ServiceNamespace": "ecs", "ResourceId": "service/a/b", "ScalableDimension": "ecs:service:DesiredCount"}
    yield "application-autoscaling", "PutScalingPolicy", without(policy, "ScalingTargetId") | target


REQUESTS = {
    "AWS::ECS::TaskDefinition": lambda given: [("ecs", "RegisterTaskDefinition", lower(given))],
    "AWS::ECS::Service": lambda given: [("ecs", "CreateService", lower(given) | {"serviceName": "name"})],
    "AWS::ElasticLoadBalancingV2::TargetGroup": target_group,
    "AWS::ElasticLoadBalancingV2::ListenerRule": lambda given: [("elbv2", "CreateRule", given)],
    "AWS::EC2::SecurityGroup": security_group,
    "AWS::EC2::VPCEndpoint": lambda given: [
        ("ec2", "CreateVpcEndpoint", given | {"PolicyDocument": json.dumps(given["PolicyDocument"])})
    ],
    "AWS::IAM::Role": role,
    "AWS::Logs::LogGroup": lambda given: [("logs", "PutRetentionPolicy", lower(given) | {"logGroupName": "name"})],
    "AWS::ApplicationAutoScaling::ScalableTarget": lambda given: [
        ("application-autoscaling", "RegisterScalableTarget", given)
    ],
    "AWS::ApplicationAutoScaling::ScalingPolicy": scaling_policy,
}


def problems(service, operation, parameters):
    """The violations of the API's model in these parameters: names, types, required parameters, enumerations."""
    shape = SESSION.get_service_model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape).generate_report()
    return ([report] if report else []) + [text for text in strange_words(parameters, shape)]


def strange_words(value, shape):
    """Values that are not in an enumeration, which botocore does not check."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, item in value.items():
            if name in shape.members:
                yield from strange_words(item, shape.members[name])
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from strange_words(item, shape.member)
    elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{shape.name}: {value!r} is none of {', '.join(shape.enum)}"
