"""The documented properties of the stack in deploy/ecs, beyond the linters."""

import re

import program

SPARE = 3

# The idle timeout of a load balancer that nobody changed.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
ALB_IDLE = 60

EXECUTION = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
}


def container_of(stack):
    (container,) = stack.only("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    return container


def environment(stack):
    return {entry["Name"]: entry["Value"] for entry in container_of(stack)["Environment"]}


def attributes(stack):
    group = stack.only("AWS::ElasticLoadBalancingV2::TargetGroup")
    return {entry["Key"]: entry["Value"] for entry in group["TargetGroupAttributes"]}


def check(claims, name, stack):
    parts = (
        check_roles,
        check_container,
        check_log,
        check_health,
        check_stopping,
        check_network,
        check_scaling,
        check_endpoint,
    )
    claims.each(parts, name, stack)


def check_roles(claims, name, stack):
    task = stack.only("AWS::ECS::TaskDefinition")
    claims.true(f"{name}: there is no task role", "TaskRoleArn" not in task)
    roles = stack.of_type("AWS::IAM::Role")
    claims.equal(
        f"{name}: the only role is the one of ECS itself",
        [f"<{role}.Arn>" for role in roles],
        [task["ExecutionRoleArn"]],
    )
    redis, actions = stack.parameters["RedisUrlSecretArn"], set()
    for role in roles.values():
        claims.true(f"{name}: its permissions are all here", "ManagedPolicyArns" not in role)
        for statement in (part for policy in role["Policies"] for part in policy["PolicyDocument"]["Statement"]):
            if "logs:PutLogEvents" in statement["Action"]:
                claims.equal(f"{name}: the log is this one", statement["Resource"], "<LogGroup.Arn>")
            if "secretsmanager:GetSecretValue" in statement["Action"]:
                claims.equal(f"{name}: the secret is Redis' URL", statement["Resource"], redis)
            actions |= set([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    wanted = EXECUTION | ({"secretsmanager:GetSecretValue"} if redis else set())
    claims.equal(f"{name}: it fetches the image and Redis' URL and writes the log, no more", actions, wanted)
    (trust,) = stack.only("AWS::IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    claims.equal(
        f"{name}: ECS alone takes it, and for this account",
        (trust["Principal"], trust.get("Condition")),
        ({"Service": "ecs-tasks.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": "123456789012"}}),
    )
    claims.none(f"{name}: no credentials are given", sorted(program.CREDENTIALS & environment(stack).keys()))
    claims.true(
        f"{name}: none are fetched from elsewhere",
        not {"EnvironmentFiles", "CredentialSpecs"} & container_of(stack).keys(),
    )
    claims.equal(
        f"{name}: the only secret is Redis' URL, where there is one",
        container_of(stack).get("Secrets"),
        [{"Name": "STS_VERIFY_REDIS_URL", "ValueFrom": redis}] if redis else None,
    )
    claims.equal(
        f"{name}: nobody can execute commands in a task",
        stack.only("AWS::ECS::Service").get("EnableExecuteCommand"),
        False,
    )


def check_container(claims, name, stack):
    container, image = container_of(stack), program.image()
    claims.equal(f"{name}: the image is the one that was given", container["Image"], stack.parameters["Image"])
    claims.equal(f"{name}: the region asked is the stack's own", environment(stack).get("AWS_REGION"), "eu-west-1")
    claims.equal(f"{name}: the root file system is read-only", container.get("ReadonlyRootFilesystem"), True)
    claims.equal(f"{name}: the user is the image's", container.get("User"), image["user"])
    claims.equal(f"{name}: the container is not privileged", container.get("Privileged"), False)
    claims.equal(
        f"{name}: it has no capabilities", container.get("LinuxParameters", {}).get("Capabilities"), {"Drop": ["ALL"]}
    )
    ports = [port["ContainerPort"] for port in container["PortMappings"]]
    claims.equal(f"{name}: the ports are those that the image listens on", ports, [image["http"], image["metrics"]])
    memory, needed = stack.only("AWS::ECS::TaskDefinition")["Memory"], program.memory_needed(environment(stack))
    claims.true(
        f"{name}: the memory is enough for what the limits allow", int(memory) >= needed, f"({memory}, needed {needed:.0f} MiB)"
    )
    strange = program.unknown(environment(stack))
    claims.none(f"{name}: the program knows every variable it gets", strange)
    claims.equal(
        f"{name}: one proxy is trusted, the load balancer", environment(stack).get("STS_VERIFY_TRUSTED_PROXIES"), "1"
    )
    claims.equal(f"{name}: no Swagger UI", environment(stack).get("STS_VERIFY_DOCS"), "false")
    given = {
        parameter: environment(stack).get(variable)
        for parameter, variable in {
            "RateLimit": "STS_VERIFY_RATE_LIMIT",
            "ApiKeys": "STS_VERIFY_API_KEYS",
            "AllowedRegions": "STS_VERIFY_ALLOWED_REGIONS",
            "HostName": "STS_VERIFY_ALLOWED_HOSTS",
        }.items()
    }
    claims.equal(
        f"{name}: the parameters become settings",
        given,
        {parameter: stack.parameters[parameter] for parameter in given},
    )


def check_log(claims, name, stack):
    log = container_of(stack)["LogConfiguration"]
    claims.equal(f"{name}: the log goes to the group here", log["Options"]["awslogs-group"], "<LogGroup.Ref>")
    claims.equal(f"{name}: a slow log delays no answer", log["Options"].get("mode"), "non-blocking")
    claims.true(
        f"{name}: the log is not kept for ever", stack.only("AWS::Logs::LogGroup").get("RetentionInDays", 0) > 0
    )


def check_health(claims, name, stack):
    health, image = container_of(stack).get("HealthCheck", {}), program.image()
    claims.equal(f"{name}: the health check is the image's own", health.get("Command"), ["CMD", *image["health"]])
    own = int(re.search(r"TIMEOUT: Duration = Duration::from_secs\((\d+)\)", program.read("src/cli/healthcheck.rs"))[1])
    claims.true(f"{name}: the health check gives up before ECS does", health.get("Timeout", 0) > own)
    group = stack.only("AWS::ElasticLoadBalancingV2::TargetGroup")
    claims.equal(f"{name}: the load balancer checks /readyz", group.get("HealthCheckPath"), "/readyz")
    claims.equal(f"{name}: and expects 200", group.get("Matcher"), {"HttpCode": "200"})
    claims.equal(
        f"{name}: its targets are the tasks' public ports", (group["TargetType"], group["Port"]), ("ip", image["http"])
    )
    (target,) = stack.only("AWS::ECS::Service")["LoadBalancers"]
    container = container_of(stack)["Name"]
    claims.equal(
        f"{name}: the service registers that port",
        target,
        {"ContainerName": container, "ContainerPort": image["http"], "TargetGroupArn": "<TargetGroup.Ref>"},
    )
    rule = stack.only("AWS::ElasticLoadBalancingV2::ListenerRule")
    hosts = [condition["HostHeaderConfig"]["Values"] for condition in rule["Conditions"]]
    claims.equal(f"{name}: the listener recognises it by its host name", hosts, [[stack.parameters["HostName"]]])
    claims.equal(
        f"{name}: a slow task gets fewer requests",
        attributes(stack).get("load_balancing.algorithm.type"),
        "least_outstanding_requests",
    )
    (action,) = rule["Actions"]
    claims.equal(
        f"{name}: the listener sends to it", action, {"Type": "forward", "TargetGroupArn": "<TargetGroup.Ref>"}
    )


def check_stopping(claims, name, stack):
    settings, service = environment(stack), stack.only("AWS::ECS::Service")
    needed, given = program.stopping(settings) + SPARE, container_of(stack).get("StopTimeout", 0)
    claims.true(
        f"{name}: ECS waits longer than a stop takes", needed <= given <= 120, f"({given} s, needed {needed} s)"
    )
    needed, given = program.longest_answer(settings), int(
        attributes(stack).get("deregistration_delay.timeout_seconds", 0)
    )
    claims.true(
        f"{name}: the load balancer waits for the longest answer", given >= needed, f"({given} s, needed {needed} s)"
    )
    claims.true(f"{name}: the stop timeout covers a shutdown", given >= program.stopping(settings))
    keep_alive = program.seconds(program.value(settings, "STS_VERIFY_KEEP_ALIVE"))
    claims.true(f"{name}: idle connections outlive the load balancer's", keep_alive > ALB_IDLE)
    rollout = service["DeploymentConfiguration"]
    claims.equal(
        f"{name}: a deployment starts new tasks before it stops old ones",
        (rollout.get("MinimumHealthyPercent"), rollout.get("MaximumPercent")),
        (100, 200),
    )
    claims.equal(
        f"{name}: a failed deployment is rolled back",
        rollout.get("DeploymentCircuitBreaker"),
        {"Enable": True, "Rollback": True},
    )


def check_network(claims, name, stack):
    groups, image = stack.of_type("AWS::EC2::SecurityGroup"), program.image()
    rules = groups["TaskSecurityGroup"]["SecurityGroupIngress"]
    ways = [(rule["FromPort"], rule["ToPort"], rule.get("SourceSecurityGroupId")) for rule in rules]
    wanted = [(image["http"], image["http"], stack.parameters["LoadBalancerSecurityGroupId"])]
    if stack.parameters["MetricsSecurityGroupId"]:
        wanted.append((image["metrics"], image["metrics"], stack.parameters["MetricsSecurityGroupId"]))
    claims.equal(f"{name}: only the load balancer gets in, and Prometheus where there is one", ways, wanted)
    out = [
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], rule.get("DestinationSecurityGroupId"))
        for rule in groups["TaskSecurityGroup"]["SecurityGroupEgress"]
    ]
    redis = stack.parameters["RedisSecurityGroupId"]
    wanted = [("tcp", 443, 443, None), *([("tcp", 6379, 6379, redis)] if redis else [])]
    claims.equal(f"{name}: only HTTPS gets out, and to Redis where there is one", out, wanted)
    network = stack.only("AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    claims.equal(f"{name}: the tasks are in that group", network["SecurityGroups"], ["<TaskSecurityGroup.GroupId>"])
    claims.equal(f"{name}: and in all subnets", network["Subnets"], stack.parameters["SubnetIds"])


def check_scaling(claims, name, stack):
    target = stack.only("AWS::ApplicationAutoScaling::ScalableTarget")
    claims.equal(f"{name}: the autoscaler is for this service", target["ResourceId"], "service/default/<Service.Name>")
    claims.true(
        f"{name}: there is a task for each of three zones, and room above",
        3 <= target["MinCapacity"] < target["MaxCapacity"],
    )
    policy = stack.only("AWS::ApplicationAutoScaling::ScalingPolicy")
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    claims.equal(
        f"{name}: it scales by CPU",
        (policy["ScalingTargetId"], tracked["PredefinedMetricSpecification"]),
        ("<ScalableTarget.Ref>", {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}),
    )
    claims.true(f"{name}: with room until more tasks are there", 30 <= tracked["TargetValue"] <= 80)
    wanted = stack.parameters["DesiredCount"] or None
    claims.equal(
        f"{name}: the number is the autoscaler's where it is to be",
        stack.only("AWS::ECS::Service").get("DesiredCount"),
        wanted,
    )


def check_endpoint(claims, name, stack):
    url = environment(stack).get("AWS_ENDPOINT_URL_STS")
    endpoints = stack.of_type("AWS::EC2::VPCEndpoint")
    if stack.parameters["CreateStsEndpoint"] != "true":
        claims.equal(f"{name}: STS is called at AWS's endpoint", (url, endpoints), ("", {}))
        return
    endpoint = endpoints["StsEndpoint"]
    claims.equal(f"{name}: STS is called through the VPC endpoint", url, "https://vpce-1-2.sts.eu-west-1.vpce.amazonaws.com")
    claims.equal(f"{name}: nobody else's STS goes through it", endpoint["PrivateDnsEnabled"], False)
    (statement,) = endpoint["PolicyDocument"]["Statement"]
    claims.equal(
        f"{name}: the endpoint's policy allows one action",
        (statement["Effect"], statement["Action"]),
        ("Allow", "sts:GetCallerIdentity"),
    )
