//! Event source mappings: queues, and streams of tables.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::{
    Tags, at, flag, here, list as items, map, number, page, put, text, texts, uuid,
};
use super::super::{ACCOUNT, Answer, Refusal, World, dynamodb, sqs};
use super::names::{NAMESPACED, Named, read_name};
use super::{conflict, function_arn, gone, invalid, no_such_function, tags, versions};

/// An event source mapping.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mapping {
    /// The name of the function, with a qualifier if the call had one.
    function: String,
    source: String,
    settings: Map<String, Value>,
    enabled: bool,
    pub(super) tags: Tags,
    modified: f64,
    /// The present transition, and until when it lasts.
    doing: String,
    until: f64,
}

const DELETING: &str = "Deleting";

/// The settings that queues do not have.
const STREAM_SETTINGS: &[&str] = &[
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "TumblingWindowInSeconds",
];

/// How long a strict sandbox takes for each change, in seconds.
const TIME: f64 = 5.0;

/// The ARN of an event source mapping.
pub(super) fn mapping_arn(region: &str, id: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:event-source-mapping:{id}")
}

impl Mapping {
    fn is_queue(&self) -> bool {
        self.source.contains(":sqs:")
    }

    /// Whether it is being deleted. A call can still read it, but not its tags.
    pub(super) fn is_going(&self) -> bool {
        self.doing == DELETING
    }

    /// The answer to a change: the change is in progress.
    fn changing(&self, region: &str, id: &str) -> Value {
        self.view_at(region, id, &self.doing)
    }

    fn view(&self, region: &str, id: &str, now: f64) -> Value {
        let rest = if self.enabled { "Enabled" } else { "Disabled" };
        self.view_at(region, id, if self.until > now { &self.doing } else { rest })
    }

    fn view_at(&self, region: &str, id: &str, state: &str) -> Value {
        let mut view = Value::Object(self.settings.clone());
        view["UUID"] = json!(id);
        view["FunctionArn"] = json!(function_arn(region, &self.function));
        view["EventSourceArn"] = json!(self.source);
        view["EventSourceMappingArn"] = json!(mapping_arn(region, id));
        view["LastModified"] = json!(self.modified);
        view["State"] = json!(state);
        let reason = if self.is_queue() { "USER_INITIATED" } else { "User action" };
        view["StateTransitionReason"] = json!(reason);
        view
    }

    fn assign(&mut self, input: &Value) -> Result<(), Refusal> {
        let queue = self.is_queue();
        for (key, most) in [("BatchSize", 10_000), ("MaximumBatchingWindowInSeconds", 300)] {
            if let Some(value) = number(input, key) {
                if value > most {
                    return Err(invalid(format!("{key} can be at most {most}")));
                }
                self.settings.insert(key.to_owned(), json!(value));
            }
        }
        let of = |settings: &Map<String, Value>, key: &str| {
            settings.get(key).and_then(Value::as_i64).unwrap_or_default()
        };
        let batch = of(&self.settings, "BatchSize");
        let window = of(&self.settings, "MaximumBatchingWindowInSeconds");
        if queue && self.source.ends_with(".fifo") && (batch > 10 || window > 0) {
            return Err(invalid("BatchSize of a FIFO queue can be at most 10, without window"));
        }
        if queue && batch > 10 && window < 1 {
            let message = "Maximum batch window in seconds must be greater than 0 if maximum batch \
                           size is greater than 10";
            return Err(invalid(message));
        }
        if let Some(scaling) = input.get("ScalingConfig") {
            match number(scaling, "MaximumConcurrency") {
                Some(most) if queue && (2..=1000).contains(&most) => {
                    let scaling = json!({ "MaximumConcurrency": most });
                    self.settings.insert("ScalingConfig".to_owned(), scaling);
                }
                Some(_) => return Err(invalid("MaximumConcurrency: 2 to 1000, for queues")),
                None => drop(self.settings.remove("ScalingConfig")),
            }
        }
        if input.get("FunctionResponseTypes").is_some() {
            let types = json!(texts(input, "FunctionResponseTypes"));
            self.settings.insert("FunctionResponseTypes".to_owned(), types);
        }
        if let Some(criteria) = input.get("FilterCriteria") {
            let filters = items(criteria, "Filters");
            if !filters.iter().all(|filter| text(filter, "Pattern").is_none_or(is_pattern)) {
                return Err(invalid("Invalid filter pattern definition."));
            }
            match filters {
                [] => self.settings.remove("FilterCriteria"),
                _ => self.settings.insert("FilterCriteria".to_owned(), criteria.clone()),
            };
        }
        for key in STREAM_SETTINGS {
            let Some(value) = input.get(*key) else { continue };
            if queue {
                return Err(invalid(format!("Unsupported {key} parameter for SQS")));
            }
            self.settings.insert((*key).to_owned(), value.clone());
        }
        let target = input.pointer("/DestinationConfig/OnFailure/Destination");
        match target.and_then(Value::as_str) {
            Some(_) if queue => return Err(no_destination()),
            Some(target) => {
                let config = if target.is_empty() {
                    json!({ "OnFailure": {} })
                } else {
                    json!({ "OnFailure": { "Destination": target } })
                };
                self.settings.insert("DestinationConfig".to_owned(), config);
            }
            None => {}
        }
        if let Some(enabled) = flag(input, "Enabled") {
            self.enabled = enabled;
        }
        Ok(())
    }

    fn start(&mut self, world: &World, what: &str) {
        self.doing = what.to_owned();
        self.modified = world.base.now().floor();
        self.until = world.base.now() + if world.base.strict { TIME } else { 0.0 };
    }
}

/// Whether a text is an event pattern: an object whose leaves are lists.
fn is_pattern(text: &str) -> bool {
    fn fits(pattern: &Value) -> bool {
        match pattern {
            Value::Object(members) => members.values().all(fits),
            Value::Array(values) => !values.is_empty(),
            _ => false,
        }
    }
    let pattern = serde_json::from_str(text).unwrap_or_default();
    matches!(pattern, Value::Object(_)) && fits(&pattern)
}

fn no_destination() -> Refusal {
    invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
}

/// Forgets the mappings whose deletion is over.
pub(super) fn settle(world: &mut World) {
    let now = world.base.now();
    world.lambda.mappings.retain(|_, found| !found.is_going() || found.until > now);
}

/// A queue must hide its messages for at least the timeout of the function.
fn patient(world: &World, region: &str, source: &str, timeout: i64) -> Result<(), Refusal> {
    match sqs::visibility(&world.sqs, region, source) {
        Some(hidden) if hidden < timeout => Err(invalid(format!(
            "Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} \
             seconds"
        ))),
        Some(_) => Ok(()),
        None => Err(invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: \
             AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does \
             not exist.",
        )),
    }
}

/// The refusal of a second event source mapping for the same function.
fn twin(source: &str, function: &str, id: &str) -> Refusal {
    let advice = format!("Please update or delete the existing mapping with UUID {id}");
    conflict(if source.contains(":sqs:") {
        format!(
            "An event source mapping with SQS arn (\" {source} \") and function (\" {function} \") \
             already exists. {advice}"
        )
    } else {
        format!(
            "The event source arn (\" {source} \") and function (\" {function} \") provided \
             mapping already exists. {advice}"
        )
    })
}

/// The function that a request names, with its qualifier, and the timeout of the function.
fn target(world: &mut World, region: &str, input: &Value) -> Result<(String, i64), Refusal> {
    let named = read_name(region, input, &NAMESPACED)?;
    let seen = versions::seen(world, region, &named);
    let timeout = seen.map_err(|_| no_such_function())?.timeout();
    let Named { name, qualifier } = named;
    let function = qualifier.map_or(name.to_owned(), |qualifier| format!("{name}:{qualifier}"));
    Ok((function, timeout))
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let start = text(input, "StartingPosition");
    let mut broken = Broken::default();
    broken.one_of("startingPosition", start, &["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"]);
    broken.refuse()?;
    let source = text(input, "EventSourceArn").unwrap_or_default().to_owned();
    let queue = source.contains(":sqs:");
    if !queue && !source.contains(":dynamodb:") {
        return Err(invalid("Unrecognized event source."));
    }
    if queue && input.pointer("/DestinationConfig/OnSuccess").is_some() {
        return Err(no_destination());
    }
    let (function, timeout) = target(world, region, input)?;
    let is_twin = |other: &Mapping| other.function == function && other.source == source;
    let other = here(&world.lambda.mappings, region).find(|(_, other)| is_twin(other));
    if let Some((id, _)) = other {
        return Err(twin(&source, &function, id));
    }
    let mut settings = Map::new();
    settings.insert("FunctionResponseTypes".to_owned(), json!([]));
    if queue {
        patient(world, region, &source, timeout)?;
        if start.is_some() {
            return Err(invalid("StartingPosition is not valid for SQS event sources."));
        }
        settings.insert("BatchSize".to_owned(), json!(10));
    } else {
        let Some(start) = start else {
            return Err(invalid(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
                 constraint: Member must not be null.",
            ));
        };
        if start == "AT_TIMESTAMP" {
            return Err(invalid(format!("Unsupported starting position for arn type: {source}")));
        }
        if !dynamodb::has_stream(&world.dynamodb, region, &source) {
            return Err(invalid(format!("Stream not found: {source}")));
        }
        let defaults = json!({
            "BatchSize": 100,
            "StartingPosition": start,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": -1,
            "ParallelizationFactor": 1,
            "TumblingWindowInSeconds": 0,
            "BisectBatchOnFunctionError": false,
            "DestinationConfig": { "OnFailure": {} },
            "LastProcessingResult": "No records processed",
        });
        settings.extend(defaults.as_object().cloned().unwrap_or_default());
    }
    settings.insert("MaximumBatchingWindowInSeconds".to_owned(), json!(0));
    let mut mapping = Mapping { function, source, settings, enabled: true, ..Mapping::default() };
    mapping.assign(input)?;
    tags::add(&mut mapping.tags, map(input, "Tags"))?;
    mapping.start(world, "Creating");
    let id = uuid(&mut world.base);
    let view = mapping.changing(region, &id);
    world.lambda.mappings.insert(at(region, &id), mapping);
    Ok(view)
}

fn id(input: &Value) -> &str {
    text(input, "UUID").unwrap_or_default()
}

fn find<'a>(world: &'a World, region: &str, input: &Value) -> Result<&'a Mapping, Refusal> {
    let found = world.lambda.mappings.get(&at(region, id(input)));
    found.ok_or_else(|| gone("The resource you requested does not exist."))
}

/// Refuses a change while another one is in progress.
fn at_rest(mapping: &Mapping, now: f64) -> Result<(), Refusal> {
    if mapping.until > now {
        Err(Refusal::new(
            "ResourceInUseException",
            format!("Cannot change the event source mapping because it is {}.", mapping.doing),
        ))
    } else {
        Ok(())
    }
}

pub(super) fn get(world: &World, region: &str, input: &Value) -> Answer {
    Ok(find(world, region, input)?.view(region, id(input), world.base.now()))
}

pub(super) fn list(world: &World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let function = text(input, "FunctionName").map(|_| read_name(region, input, &NAMESPACED));
    let function = function.transpose()?.map(|named| named.arn(region));
    let source = text(input, "EventSourceArn");
    let all = here(&world.lambda.mappings, region).filter(|(_, mapping)| {
        source.is_none_or(|source| mapping.source == source)
            && function
                .as_ref()
                .is_none_or(|function| function_arn(region, &mapping.function) == *function)
    });
    let all = all.map(|(id, mapping)| (id.to_owned(), mapping.view(region, id, now)));
    let limit = number(input, "MaxItems").unwrap_or(100).clamp(1, 100) as usize;
    let (mappings, next) = page(all.collect(), text(input, "Marker"), limit);
    let mut answer = json!({ "EventSourceMappings": mappings });
    put(&mut answer, "NextMarker", next);
    Ok(answer)
}

pub(super) fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let mut mapping = find(world, region, input)?.clone();
    at_rest(&mapping, world.base.now())?;
    if text(input, "FunctionName").is_some() {
        let (function, timeout) = target(world, region, input)?;
        if mapping.is_queue() {
            patient(world, region, &mapping.source, timeout)?;
        }
        mapping.function = function;
    }
    mapping.assign(input)?;
    mapping.start(world, "Updating");
    let view = mapping.changing(region, id(input));
    world.lambda.mappings.insert(at(region, id(input)), mapping);
    Ok(view)
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let mut mapping = find(world, region, input)?.clone();
    at_rest(&mapping, world.base.now())?;
    mapping.start(world, DELETING);
    let view = mapping.changing(region, id(input));
    world.lambda.mappings.insert(at(region, id(input)), mapping);
    settle(world);
    Ok(view)
}
