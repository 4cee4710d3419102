"""Lists what an account holds, one object in a line, asked with boto3 and so by another reader
than payctl's. What every new account has is left out, and so is what AWS still lists after its
deletion."""

import sys

import boto3

session = boto3.Session("moto", "moto", region_name="us-east-1")


def call(service, operation, key, **arguments):
    client = session.client(service, endpoint_url=sys.argv[1])
    if client.can_paginate(operation):
        pages = client.get_paginator(operation).paginate(**arguments)
    else:
        pages = [getattr(client, operation)(**arguments)]
    return [item for page in pages for item in page.get(key, [])]


def show(kind, items):
    for item in items:
        print(kind, item)


vpcs = [vpc["VpcId"] for vpc in call("ec2", "describe_vpcs", "Vpcs") if not vpc["IsDefault"]]
show("vpc", vpcs)
for operation, key, name in [
    ("describe_subnets", "Subnets", "SubnetId"),
    ("describe_route_tables", "RouteTables", "RouteTableId"),
    ("describe_security_groups", "SecurityGroups", "GroupId"),
    ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
]:
    found = call("ec2", operation, key)
    show(name, [item[name] for item in found if item["VpcId"] in vpcs])
gateways = call("ec2", "describe_internet_gateways", "InternetGateways")
show("internet-gateway", [item["InternetGatewayId"] for item in gateways])
show("address", [item["AllocationId"] for item in call("ec2", "describe_addresses", "Addresses")])
show("flow-log", [item["FlowLogId"] for item in call("ec2", "describe_flow_logs", "FlowLogs")])
for operation, key, name in [
    ("describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
]:
    found = call("ec2", operation, key)
    show(name, [item[name] for item in found if item["State"].lower() != "deleted"])
for reservation in call("ec2", "describe_instances", "Reservations"):
    instances = reservation["Instances"]
    running = [item for item in instances if item["State"]["Name"] != "terminated"]
    show("instance", [item["InstanceId"] for item in running])
templates = call("ec2", "describe_launch_templates", "LaunchTemplates")
show("launch-template", [item["LaunchTemplateName"] for item in templates])
balancers = call("elbv2", "describe_load_balancers", "LoadBalancers")
show("load-balancer", [item["LoadBalancerName"] for item in balancers])
targets = call("elbv2", "describe_target_groups", "TargetGroups")
show("target-group", [item["TargetGroupName"] for item in targets])
fleets = call("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups")
show("fleet", [item["AutoScalingGroupName"] for item in fleets])
# What belongs to the account outlives every environment.
roles = [item["Arn"] for item in call("iam", "list_roles", "Roles")]
show("role", [arn for arn in roles if "/payctl/shared/" not in arn])
show("profile", [item["Arn"] for item in call("iam", "list_instance_profiles", "InstanceProfiles")])
kms = session.client("kms", endpoint_url=sys.argv[1])
keys = [kms.describe_key(KeyId=key["KeyId"]) for key in call("kms", "list_keys", "Keys")]
keys = [key["KeyMetadata"] for key in keys]
ours = [key for key in keys if key["KeyManager"] == "CUSTOMER"]
show("key", [key["KeyId"] for key in ours if key["KeyState"] != "PendingDeletion"])
aliases = [alias["AliasName"] for alias in call("kms", "list_aliases", "Aliases")]
show("alias", [name for name in aliases if not name.startswith("alias/aws/")])
secrets = call("secretsmanager", "list_secrets", "SecretList")
show("secret", [secret["Name"] for secret in secrets if not secret.get("DeletedDate")])
parameters = [item["Name"] for item in call("ssm", "describe_parameters", "Parameters")]
show("parameter", [name for name in parameters if not name.startswith("/aws/")])
show("table", call("dynamodb", "list_tables", "TableNames"))
show("bucket", [bucket["Name"] for bucket in call("s3", "list_buckets", "Buckets")])
show("topic", [topic["TopicArn"] for topic in call("sns", "list_topics", "Topics")])
subscriptions = call("sns", "list_subscriptions", "Subscriptions")
show("subscription", [item["SubscriptionArn"] for item in subscriptions])
show("queue", call("sqs", "list_queues", "QueueUrls"))
ecs = session.client("ecs", endpoint_url=sys.argv[1])
for cluster in call("ecs", "list_clusters", "clusterArns"):
    found = ecs.describe_clusters(clusters=[cluster])["clusters"]
    show("cluster", [item["clusterArn"] for item in found if item["status"] == "ACTIVE"])
    services = call("ecs", "list_services", "serviceArns", cluster=cluster)
    found = ecs.describe_services(cluster=cluster, services=services)["services"] if services else []
    show("service", [item["serviceArn"] for item in found if item["status"] != "INACTIVE"])
show("task-definition", call("ecs", "list_task_definitions", "taskDefinitionArns", status="ACTIVE"))
targets = call(
    "application-autoscaling", "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs"
)
show("scalable-target", [target["ResourceId"] for target in targets])
policies = call(
    "application-autoscaling", "describe_scaling_policies", "ScalingPolicies", ServiceNamespace="ecs"
)
show("scaling-policy", [policy["PolicyARN"] for policy in policies])
show("log-group", [item["logGroupName"] for item in call("logs", "describe_log_groups", "logGroups")])
# Alarms of scaling policies belong to these; moto makes new ones whenever a policy changes.
alarms = [alarm["AlarmName"] for alarm in call("cloudwatch", "describe_alarms", "MetricAlarms")]
show("alarm", [name for name in alarms if not name.startswith("TargetTracking-")])
boards = call("cloudwatch", "list_dashboards", "DashboardEntries")
show("dashboard", [board["DashboardName"] for board in boards])
filters = call("logs", "describe_metric_filters", "metricFilters")
show("metric-filter", [item["filterName"] for item in filters])
acls = call("wafv2", "list_web_acls", "WebACLs", Scope="REGIONAL")
show("web-acl", [acl["ARN"] for acl in acls])
show("event-rule", [rule["Arn"] for rule in call("events", "list_rules", "Rules")])
show("detector", call("guardduty", "list_detectors", "DetectorIds"))
for thing in ("monitor", "subscription"):
    found = call("ce", f"get_anomaly_{thing}s", f"Anomaly{thing.title()}s")
    show(f"anomaly-{thing}", [item[f"{thing.title()}Arn"] for item in found])
show("function", [item["FunctionName"] for item in call("lambda", "list_functions", "Functions")])
mappings = call("lambda", "list_event_source_mappings", "EventSourceMappings")
show("event-source", [item["UUID"] for item in mappings])
for operation, key, name in [
    ("describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    ("describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    ("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    ("describe_db_cluster_parameter_groups", "DBClusterParameterGroups", "DBClusterParameterGroupName"),
]:
    show(name, [item[name] for item in call("rds", operation, key)])
show("api", [item["id"] for item in call("apigateway", "get_rest_apis", "items")])
show("api-key", [item["id"] for item in call("apigateway", "get_api_keys", "items")])
show("usage-plan", [item["id"] for item in call("apigateway", "get_usage_plans", "items")])
show("vpc-link", [item["VpcLinkId"] for item in call("apigatewayv2", "get_vpc_links", "Items")])
certificates = call("acm", "list_certificates", "CertificateSummaryList")
show("certificate", [item["CertificateArn"] for item in certificates])
domains = call("apigateway", "get_domain_names", "items")
show("domain-name", [item["domainName"] for item in domains])
# The records that prove a domain belong to the account, and each zone has two of its own.
for zone in call("route53", "list_hosted_zones", "HostedZones"):
    records = call("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
    own = [item for item in records if item["Type"] not in ("NS", "SOA", "CNAME")]
    show("record", [f"{item['Name']} {item['Type']}" for item in own])
