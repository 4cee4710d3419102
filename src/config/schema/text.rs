//! The kinds of strings in a config, each with its pattern and the rule in words.

use std::borrow::Cow;
use std::ops::Deref;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// The schema keyword for the `${...}` that a string may still contain after the environment's
/// own values are filled in: `name` (`account`), `stamp` (`account`, `now`) or `text` (`account`
/// and outputs). Without it, none.
pub(crate) const HOLDS: &str = "x-payctl-holds";
/// The schema keyword for a string that names an item of a section; after `SECTION:KEY`, also
/// `ITEM:NAME` for a name under that key of the item.
pub(crate) const ITEM_OF: &str = "x-payctl-item-of";

macro_rules! strings {
    ($($(#[$doc:meta])* $name:ident { $key:tt: $value:literal } $(=> $rule:literal)?)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub String);

            impl Deref for $name {
                type Target = str;

                fn deref(&self) -> &str {
                    &self.0
                }
            }

            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn inline_schema() -> bool {
                    true
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "type": "string", $key: $value })
                }
            }
        )*

        /// The rule behind a pattern, in words.
        pub(crate) fn rule(pattern: &str) -> Option<&'static str> {
            let rules = [$(($value, concat!("" $(, $rule)?))),*];
            let found = rules.into_iter().find(|(value, _)| *value == pattern)?;
            Some(found.1).filter(|rule| !rule.is_empty())
        }
    };
}

strings! {
    /// The name of an item in a section.
    ItemName { "pattern": "^[a-z](-?[a-z0-9]){0,39}$" }
        => "names have lower-case letters, digits and single dashes, and begin with a letter"
    /// The name of the project.
    ProjectName { "pattern": "^[a-z](-?[a-z0-9]){0,23}$" }
        => "a project's name is 1 to 24 lower-case letters, digits and single dashes, and begins with a letter"
    /// An AWS region.
    Region { "pattern": "^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$" }
        => "a region looks like us-east-1"
    /// Another environment of the project.
    EnvName { "pattern": "^[a-z](-?[a-z0-9]){0,47}$" }
        => "an environment's name is 1 to 48 lower-case letters, digits and single dashes, and begins with a letter"
    /// The id of a VPC.
    VpcId { "pattern": "^vpc-[0-9a-f]{8,17}$" }
        => "a VPC looks like vpc-0123456789abcdef0"
    /// The id of a subnet.
    SubnetId { "pattern": "^subnet-[0-9a-f]{8,17}$" }
        => "a subnet looks like subnet-0123456789abcdef0"
    /// A KMS key by id or ARN.
    KeyId { "pattern": "^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/)?(mrk-)?[0-9a-f-]{32,36}$" }
        => "a key looks like 1234abcd-12ab-34cd-56ef-1234567890ab, or arn:aws:kms:REGION:ACCOUNT:key/ID"
    /// The alias of a KMS key.
    KeyAlias { "pattern": "^[A-Za-z0-9_-][A-Za-z0-9/_-]{0,249}$" }
        => "an alias is 1 to 250 letters, digits and / _ -, without `alias/`"
    /// The name of a bucket.
    BucketName { "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$" }
        => "a bucket's name is 3 to 63 lower-case letters, digits, dots and dashes"
    /// The name of a role.
    RoleName { "pattern": "^[A-Za-z0-9_+=,.@-]{1,64}$" }
        => "a role's name is 1 to 64 letters, digits and _+=,.@-"
    /// The id of a hosted zone.
    ZoneId { "pattern": "^Z[A-Z0-9]{1,31}$" }
        => "a hosted zone looks like Z0123456789ABCDEFGHIJ"
    /// An availability zone.
    ZoneName { "pattern": "^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}[a-z]$" }
        => "a zone looks like us-east-1a"
    /// An AWS account id.
    AccountId { "pattern": "^[0-9]{12}$" }
        => "an account id has 12 digits"
    /// A role to assume.
    RoleArn { "pattern": "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$" }
        => "a role looks like arn:aws:iam::123456789012:role/payctl"
    /// The pattern of names.
    NamePattern { "pattern": "^([A-Za-z0-9-]|\\{(env|project|type|name)\\})+$" }
        => "letters, digits, dashes and {env}, {project}, {type}, {name}"
    /// A physical name; it may contain `${account}`.
    PhysicalName { HOLDS: "name" }
    /// A string that payctl sets at creation; it may contain `${account}` and `${now}`.
    Stamp { HOLDS: "stamp" }
    /// A string that may refer to outputs.
    Template { HOLDS: "text" }
    /// The key of a tag.
    TagKey { "pattern": "^[^\\s!-*,;<>?\\[-^`{-~]+$" }
        => "a tag key is 1 to 128 letters, digits and _ . : / = + - @"
    /// The value of a tag.
    TagValue { "pattern": "^[^\\t-\\r!-*,;<>?\\[-^`{-~]*$" }
        => "a tag value is up to 256 letters, digits, spaces and _ . : / = + - @"
    /// An IPv4 address range.
    Cidr { "pattern": "^[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}$" }
        => "an address range looks like 10.0.0.0/16"
    /// The size of each subnet of a tier, `/24`.
    SubnetSize { "pattern": "^/(1[6-9]|2[0-8])$" }
        => "a subnet's size is /16 to /28"
    /// An EC2 instance type.
    InstanceType { "pattern": "^[a-z][a-z0-9-]*\\.[a-z0-9]+$" }
        => "an instance type looks like t4g.nano"
    /// The id of an image.
    ImageId { "pattern": "^ami-[0-9a-f]{8,17}$" }
        => "an image looks like ami-0123456789abcdef0"
    /// The codes of a healthy answer.
    HealthCodes { "pattern": "^[2-4][0-9]{2}(-[2-4][0-9]{2})?(,[2-4][0-9]{2}(-[2-4][0-9]{2})?)*$" }
        => "codes are 200 to 499: `200`, `200,202` or `200-299`"
    /// A description in the characters that security groups allow.
    GroupText { "pattern": "^[a-zA-Z0-9 ._:/()#,@\\[\\]+=&;{}!$*-]{1,255}$" }
        => "1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$* (no apostrophes, no >)"
    /// A range of ports.
    PortRange { "pattern": "^[0-9]{1,5}-[0-9]{1,5}$" }
        => "a port range looks like 8000-8080"
    /// The other side of a security group rule.
    Peer { "pattern": "^(vpc|group:[a-z][a-z0-9-]*|pl-[0-9a-f]+|[0-9a-fA-F.:]+/[0-9]{1,3})$" }
        => "write an address range, `vpc`, `group:NAME` or a prefix list `pl-...`"
    /// A key attribute of a table, `name:S`, `name:N` or `name:B`.
    KeyAttribute { "pattern": "^[^:]{1,255}:[SNB]$" }
        => "write the attribute and its type: `id:S` (string), `id:N` (number) or `id:B` (binary)"
    /// The physical name of a table, which may belong to another environment.
    TableName { "pattern": "^[A-Za-z0-9_.-]{3,255}$" }
        => "a table's name is 3 to 255 letters, digits and _ . -"
    /// The ARN of a backup of a table.
    BackupArn { "pattern": "^arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[a-zA-Z0-9_.-]+/backup/[a-zA-Z0-9-]+$" }
        => "a backup looks like arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/backup/ID; `aws dynamodb list-backups --backup-type ALL` lists them"
    /// The time of a restore.
    RestoreTime { "pattern": "^(latest|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)$" }
        => "a time looks like 2026-11-28T12:00:00Z, in UTC, or is latest"
    /// A cluster, which may belong to another environment.
    ClusterName { "pattern": "^[a-z](-?[a-z0-9]){0,62}$" }
        => "a cluster's name is up to 63 lower-case letters, digits and single dashes, and begins with a letter"
    /// A snapshot of a cluster, by name or ARN.
    SnapshotName { "pattern": "^(arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:cluster-snapshot:)?(rds:)?[a-zA-Z](-?[a-zA-Z0-9])*$" }
        => "a snapshot looks like payments-final-1764331200, or arn:aws:rds:REGION:ACCOUNT:cluster-snapshot:NAME"
    /// The name of an index.
    IndexName { "pattern": "^[a-zA-Z0-9_.-]{3,255}$" }
        => "an index name is 3 to 255 letters, digits and _ . -"
    /// The full name of an SSM parameter.
    ParameterName { "pattern": "^(/[a-zA-Z0-9_.-]+){1,15}$" }
        => "a parameter name is a path such as /payment/vpc-id with up to 15 levels of letters, digits and _ . -"
    /// The id of a lifecycle rule.
    RuleId { "pattern": "^[A-Za-z0-9_.-]{1,255}$" }
        => "a rule id is 1 to 255 letters, digits and _ . -"
    /// A statement id.
    Sid { "pattern": "^[A-Za-z0-9]{1,100}$" }
        => "a statement id has letters and digits only"
    /// An IAM action.
    Action { "pattern": "^(\\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$" }
        => "an action looks like dynamodb:GetItem"
    /// When a secret is rotated.
    RotationSchedule { "pattern": "^(rate\\([1-9][0-9]* (hours?|days?)\\)|cron\\([^()]+\\))$" }
        => "a schedule is \"rate(12 hours)\", \"rate(30 days)\" or \"cron(0 4 1 * ? *)\""
    /// A version of PostgreSQL.
    EngineVersion { "pattern": "^[1-9][0-9](\\.[0-9]{1,2})?$" }
        => "a version looks like 15.19, or 15 for the newest minor version"
    /// The name of a database in PostgreSQL.
    DatabaseName { "pattern": "^[A-Za-z][A-Za-z0-9_]{0,62}$" }
        => "a database's name is 1 to 63 letters, digits and underscores, and begins with a letter"
    /// The class of a database instance.
    DatabaseClass { "pattern": "^db\\.(serverless|[a-z][a-z0-9-]*\\.[a-z0-9]+)$" }
        => "a class looks like db.serverless, db.t4g.medium or db.r6g.large"
    /// A time of every day.
    DayWindow { "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$" }
        => "a window looks like 03:00-04:00, in UTC"
    /// A time of every week.
    WeekWindow { "pattern": "^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$" }
        => "a window looks like sun:05:00-sun:06:00, in UTC"
    /// The name of a parameter of PostgreSQL.
    DatabaseParameter { "pattern": "^[a-z][a-z0-9_.]{0,127}$" }
        => "a parameter looks like log_min_duration_statement or rds.force_ssl"
    /// A service principal.
    ServicePrincipal { "pattern": "^[a-z0-9.-]+\\.amazonaws\\.com(\\.cn)?$" }
        => "a service principal looks like lambda.amazonaws.com"
    /// An e-mail address.
    Email { "pattern": "^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$" }
        => "an e-mail address looks like ops@example.com"
    /// The name of an environment variable of a container.
    ContainerVariable { "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,254}$" }
        => "a variable's name has letters, digits and underscores, and does not begin with a digit"
    /// The name of a variable of the process.
    InputName { "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$" }
        => "a variable's name has letters, digits and underscores, and does not begin with a digit"
    /// A secret of this config, or a field of one.
    SecretField { "pattern": "^[a-z](-?[a-z0-9]){0,39}(:[A-Za-z0-9_.-]{1,128})?$" }
        => "write the name of a secret, or the secret and a field: `database:password`"
    /// The description of a web ACL.
    FirewallText { "pattern": "^[A-Za-z0-9_+=:#@/,.-][A-Za-z0-9_+=:#@/,. -]{1,254}[A-Za-z0-9_+=:#@/,.-]$" }
        => "3 to 256 letters, digits, spaces and _ + = : # @ / - , . with no space at the ends"
    /// A resource that a web ACL can protect.
    Protected { "pattern": "^(apis|load_balancers)\\.[a-z](-?[a-z0-9]){0,39}$" }
        => "write apis.NAME or load_balancers.NAME"
    /// The name of a rule, a group of rules or a metric of a web ACL.
    RuleName { "pattern": "^[0-9A-Za-z_-]{1,128}$" }
        => "names in a web ACL are 1 to 128 letters, digits, _ and -"
    /// A schedule.
    Schedule { "pattern": "^(rate|cron)\\([^()]+\\)$" }
        => "a schedule looks like rate(1 day) or cron(0 3 * * ? *)"
    /// The name of a variable of a stage.
    StageVariable { "pattern": "^[A-Za-z0-9_]{1,64}$" }
        => "a variable's name is 1 to 64 letters, digits and _"
    /// The name of an environment variable of a function.
    VariableName { "pattern": "^[a-zA-Z][a-zA-Z0-9_]+$" }
        => "the name of an environment variable has letters, digits and underscores, and begins with a letter"
    /// The path of a value in a JSON answer.
    JsonPath { "pattern": "^[^.]+([.][^.]+)*$" }
        => "a path has names and numbers of elements, with dots between them: items.0.id"
    /// The name of an output.
    OutputName { "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$" }
        => "an output's name has letters, digits and underscores, and begins with a letter"
    /// An item of this config that has metrics.
    WatchedItem { "pattern": "^[a-z_]+\\.[a-z](-?[a-z0-9]){0,39}(\\.dead_letter)?$" }
        => "name a section and an item of it, such as functions.processing"
    /// A log group of this config, or an item that has one.
    LogSource { "pattern": "^([a-z_]+\\.)?[a-z](-?[a-z0-9]){0,39}$" }
        => "name an item of log_groups, or another item with a log, such as functions.processing"
    /// A statistic of a metric.
    Statistic { "pattern": "^(average|sum|minimum|maximum|sample_count|p[0-9]{1,3}(\\.[0-9]{1,10})?)$" }
        => "use average, sum, minimum, maximum, sample_count, or a percentile such as p99"
    /// The id of a part of metric math.
    MetricId { "pattern": "^[a-z][a-zA-Z0-9_]{0,254}$" }
        => "an id has letters, digits and underscores, and begins with a lower-case letter"
    /// The namespace of metrics.
    MetricNamespace { "pattern": "^[^:*$\\s][^:*$]{0,254}$" }
        => "a namespace is 1 to 255 characters without : * $"
    /// The name of a metric.
    MetricName { "pattern": "^[^:*$]{1,255}$" }
        => "the name of a metric is 1 to 255 characters without : * $"
    /// A span of time.
    TimeSpan { "pattern": "^[1-9][0-9]{0,4}(s|m|h)$" }
        => "a span of time looks like 30s, 5m or 1h"
    /// A listener of a load balancer, by its port.
    ListenerName { "pattern": "^[a-z](-?[a-z0-9]){0,39}:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$" }
        => "a listener is a load balancer and a port: `public:443`"
    /// A rule of a listener.
    ListenerRuleName { "pattern": "^[a-z](-?[a-z0-9]){0,39}:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]):[a-z](-?[a-z0-9]){0,39}$" }
        => "a rule is a load balancer, a port and the name of the rule: `public:443:payments`"
    /// The name of an alarm of this config.
    AlarmRef { ITEM_OF: "alarms" }
    /// A method and a path, `POST /payments/{id}`.
    RouteName { "pattern": "^(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /(([a-zA-Z0-9._:-]+|\\{[a-zA-Z0-9._-]+\\+?\\})(/|$))*$" }
        => "a route is a method and a path such as `POST /payments/{id}`; a path has letters, digits, . _ : - and {variables}"
    /// A path.
    RoutePath { "pattern": "^/(([a-zA-Z0-9._:-]+|\\{[a-zA-Z0-9._-]+\\+?\\})(/|$))*$" }
        => "a path looks like /payments/{id}"
    /// A security policy of an API.
    SecurityPolicy { "pattern": "^(TLS_1_[02]|SecurityPolicy_TLS[A-Za-z0-9_]{1,60})$" }
        => "a security policy looks like SecurityPolicy_TLS13_1_2_2021_06"
    /// The name of a stage.
    StageName { "pattern": "^[a-zA-Z0-9_-]{1,128}$" }
        => "a stage's name is 1 to 128 letters, digits, _ and -"
    /// The name of a model of an API.
    ModelName { "pattern": "^[A-Za-z0-9]{1,128}$" }
        => "a model's name has letters and digits only"
    /// Who may call a route: `iam`, `none`, or an authorizer of its API.
    Authorization { "pattern": "^(iam|none|[a-z](-?[a-z0-9]){0,39})$" }
        => "write iam, none, or the name of an authorizer of this API"
    /// A domain name.
    DomainName { "pattern": "^([a-z0-9](-*[a-z0-9])*[.])+[a-z](-*[a-z0-9])*$" }
        => "a domain name looks like api.example.com, in lower case and without a dot at the end"
    /// A name of a certificate.
    CertifiedName { "pattern": "^([*][.])?([a-z0-9](-*[a-z0-9])*[.])+[a-z](-*[a-z0-9])*$" }
        => "a name of a certificate looks like example.com or *.example.com, in lower case"
    /// The first step of the paths of an API at its domain name.
    BasePath { "pattern": "^[A-Za-z0-9._-]{1,128}$" }
        => "a base path is 1 to 128 letters, digits and . _ -, without a slash"
    /// A Cognito user pool.
    UserPool { "pattern": "^(arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:[0-9]{12}:userpool/)?[a-z]{2}(-[a-z]+)+-[0-9]{1,2}_[0-9A-Za-z]+$" }
        => "write the id of a user pool, us-east-1_AbCdEfGhI, or its ARN"
    /// The source that identifies a caller.
    Identity { "pattern": "^(header|query|stage|context)\\.[A-Za-z0-9._$-]+$" }
        => "write `header.NAME`, `query.NAME`, `stage.NAME` or `context.NAME`"
    /// An OAuth scope.
    Scope { "pattern": "^[!#-\\[\\]-~]+$" }
        => "a scope looks like payments/write"
    /// The name of an API key.
    ApiKeyName { "pattern": "^[a-z](-?[a-z0-9]){0,39}$" }
        => "a key's name has lower-case letters, digits and single dashes, and begins with a letter"
    /// A parameter of a request.
    ApiParameter { "pattern": "^(query|header)\\.[A-Za-z0-9._$-]+$" }
        => "write `query.NAME` or `header.NAME`"
    /// An origin of web pages.
    Origin { "pattern": "^(\\*|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)$" }
        => "an origin looks like https://shop.example.com, without a path; or `*`"
    /// A folder in a container.
    ContainerFolder { "pattern": "^(/[a-zA-Z0-9._-]+)+$" }
        => "a folder is an absolute path without a slash at its end, such as /var/cache/nginx"
    /// The name of a header of a request.
    HeaderName { "pattern": "^[a-z0-9_-]{1,64}$" }
        => "a header is written in lower case, such as authorization"
    /// The name of a header that a rule of a listener looks at.
    RequestHeader { "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}$" }
        => "the name of a header has 1 to 40 letters, digits and marks such as - and _"
    /// A pattern of the values of a header or a query parameter.
    HeaderPattern { "pattern": "^[ -~]{1,128}$" }
        => "a value is 1 to 128 characters of ASCII; * and ? are wildcards"
    /// A pattern of hosts.
    HostPattern { "pattern": "^[A-Za-z0-9.*?-]{1,128}$" }
        => "a host is 1 to 128 letters, digits, - and ., with the wildcards * and ?"
    /// A pattern of paths.
    PathPattern { "pattern": "^[A-Za-z0-9_.$/~\"'@:+&*?-]{1,128}$" }
        => "a path is 1 to 128 letters, digits and _ - . $ / ~ \" ' @ : + &, with the wildcards * and ?"
    /// The method of a request.
    RequestMethod { "pattern": "^[A-Z_-]{1,40}$" }
        => "a method is 1 to 40 upper-case letters, - and _, without wildcards"
    /// A range of addresses of clients.
    SourceRange { "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$" }
        => "an address range looks like 203.0.113.0/24 or 2001:db8::/32"
    /// The name of a key of this config.
    KeyRef { ITEM_OF: "keys" }
    /// The name of a bucket of this config.
    BucketRef { ITEM_OF: "buckets" }
    /// The name of a function of this config.
    FunctionRef { ITEM_OF: "functions" }
    /// The name of a function of this config, or of an alias of it: `validation` or
    /// `validation:live`.
    CalleeRef { ITEM_OF: "functions:aliases" }
    /// The name of an API of this config.
    ApiRef { ITEM_OF: "apis" }
    /// The name of a VPC link of this config.
    VpcLinkRef { ITEM_OF: "vpc_links" }
    /// The name of a database of this config.
    DatabaseRef { ITEM_OF: "databases" }
    /// The name of an ECS cluster of this config.
    ClusterRef { ITEM_OF: "clusters" }
    /// The name of a Fargate service of this config.
    ServiceRef { ITEM_OF: "services" }
    /// The name of a load balancer of this config.
    LoadBalancerRef { ITEM_OF: "load_balancers" }
    /// The name of a target group of this config.
    TargetGroupRef { ITEM_OF: "target_groups" }
    /// The name of a security group of this config.
    GroupRef { ITEM_OF: "security_groups" }
    /// The name of a role of this config.
    RoleRef { ITEM_OF: "roles" }
    /// The name of a queue of this config.
    QueueRef { ITEM_OF: "queues" }
    /// The name of a table of this config.
    TableRef { ITEM_OF: "tables" }
    /// The name of a secret of this config.
    SecretRef { ITEM_OF: "secrets" }
    /// The name of a log group of this config.
    LogGroupRef { ITEM_OF: "log_groups" }
    /// The name of a topic of this config.
    TopicRef { ITEM_OF: "topics" }
}

impl TimeSpan {
    /// The time. Whatever the schema refuses counts as none.
    pub fn time(&self) -> Duration {
        let (number, unit) = self.0.split_at(self.0.len().saturating_sub(1));
        let seconds = match unit {
            "h" => 3600,
            "m" => 60,
            _ => 1,
        };
        Duration::from_secs(number.parse::<u64>().unwrap_or_default() * seconds)
    }
}

impl ListenerName {
    /// The load balancer and the port.
    pub fn parts(&self) -> Option<(&str, u16)> {
        let (balancer, port) = self.0.split_once(':')?;
        Some((balancer, port.parse().ok()?))
    }
}

impl ListenerRuleName {
    /// The load balancer, the port of the listener, and the rule.
    pub fn parts(&self) -> Option<(&str, u16, &str)> {
        let (balancer, rest) = self.0.split_once(':')?;
        let (port, rule) = rest.split_once(':')?;
        Some((balancer, port.parse().ok()?, rule))
    }
}

impl CalleeRef {
    /// The name of the function, and of the alias.
    pub fn parts(&self) -> (&str, Option<&str>) {
        match self.0.split_once(':') {
            Some((function, alias)) => (function, Some(alias)),
            None => (&self.0, None),
        }
    }
}

impl SecretField {
    /// The name of the secret, and of the field.
    pub fn parts(&self) -> (&str, Option<&str>) {
        match self.0.split_once(':') {
            Some((name, field)) => (name, Some(field)),
            None => (&self.0, None),
        }
    }
}
