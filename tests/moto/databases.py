"""What moto lacks of RDS and of the rotation of secrets."""

from moto.core.responses import ActionResult
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend


def rotate_secret(
    self,
    secret_id,
    client_request_token=None,
    rotation_lambda_arn=None,
    rotation_rules=None,
    rotate_immediately=True,
):
    """Configures a rotation, and keeps all of its rules; moto would run the function."""
    secret = self.secrets[secret_id]
    secret.rotation_requested = secret.rotation_enabled = True
    secret.rotation_lambda_arn = rotation_lambda_arn
    secret.rotation_rules = rotation_rules or {}
    return secret.to_short_dict()


secret_to_dict = FakeSecret.to_dict


def secret_with_rules(self):
    """A secret as DescribeSecret and ListSecrets show it, with the rules of its rotation."""
    shown = secret_to_dict(self)
    if getattr(self, "rotation_rules", None):
        shown["RotationRules"] = self.rotation_rules
    return shown


def switch_http_endpoint(on):
    def answer(self):
        arn = self.params["ResourceArn"]
        self.backend.clusters[arn.split(":")[-1]]._enable_http_endpoint = on
        return ActionResult({"ResourceArn": arn, "HttpEndpointEnabled": on})

    return answer


def describe_db_engine_versions(self):
    """Some of what AWS offers."""
    offered = ["15.17", "15.19", "16.15"]
    engine = self.params["Engine"]
    shown = [{"Engine": engine, "EngineVersion": version} for version in offered]
    return ActionResult({"DBEngineVersions": shown})


def reset_db_cluster_parameter_group(self):
    name = self.params["DBClusterParameterGroupName"]
    group = self.backend.db_cluster_parameter_groups[name]
    for parameter in self.params.get("Parameters", []):
        group.parameters.pop(parameter["ParameterName"], None)
    return ActionResult({"DBClusterParameterGroupName": name})


modify_db_cluster = RDSBackend.modify_db_cluster


def modify_exports_too(self, kwargs):
    """moto looks for the changed exports under another name."""
    cluster, change = self.clusters[kwargs["db_cluster_identifier"]], dict(kwargs)
    exports = change.pop("cloudwatch_logs_export_configuration", None) or {}
    kept = set(cluster.enabled_cloudwatch_logs_exports) | set(exports.get("EnableLogTypes", []))
    cluster.enabled_cloudwatch_logs_exports = sorted(kept - set(exports.get("DisableLogTypes", [])))
    if "enable_iam_database_authentication" in change:
        cluster.iam_auth = change["enable_iam_database_authentication"]
    return modify_db_cluster(self, change)


delete_db_cluster = RDSBackend.delete_db_cluster


def delete_with_automated_snapshots(self, cluster_identifier, snapshot_name=None):
    """moto keeps the snapshots that were its own doing, and then refuses a cluster of the same name."""
    cluster = delete_db_cluster(self, cluster_identifier, snapshot_name)
    for name, snapshot in list(self.cluster_snapshots.items()):
        if (snapshot.db_cluster_identifier, snapshot.snapshot_type) == (cluster_identifier, "automated"):
            del self.cluster_snapshots[name]
    return cluster


modify_db_subnet_group = RDSBackend.modify_db_subnet_group


def keep_subnet_group(self, subnet_name, description, subnets):
    """moto forgets a group that is changed."""
    group = modify_db_subnet_group(self, subnet_name, description, subnets)
    self.subnet_groups[subnet_name] = group
    return group


def with_insights(operation):
    """moto forgets Performance Insights."""

    def keep(self, *arguments):
        instance, sent = operation(self, *arguments), arguments[-1]
        if "enable_performance_insights" in sent:
            on = sent["enable_performance_insights"]
            instance.performance_insights_enabled = on
            days = sent.get("performance_insights_retention_period", 7)
            instance.performance_insights_retention_period = days if on else None
        return instance

    return keep


RDSBackend.create_db_instance = with_insights(RDSBackend.create_db_instance)
RDSBackend.modify_db_instance = with_insights(RDSBackend.modify_db_instance)
SecretsManagerBackend.rotate_secret = rotate_secret
FakeSecret.to_dict = secret_with_rules
RDSResponse.enable_http_endpoint = switch_http_endpoint(True)
RDSResponse.disable_http_endpoint = switch_http_endpoint(False)
RDSResponse.describe_db_engine_versions = describe_db_engine_versions
RDSResponse.reset_db_cluster_parameter_group = reset_db_cluster_parameter_group
RDSBackend.delete_db_cluster = delete_with_automated_snapshots
RDSBackend.modify_db_cluster = modify_exports_too
RDSBackend.modify_db_subnet_group = keep_subnet_group
