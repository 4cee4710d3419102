//! Event sources: queues and streams of tables.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::toolbox::{
    Tags, add_tags, at, flag, here, map, number, page, put, text, texts, uuid,
};
use super::super::{ACCOUNT, Answer, Refusal, World, dynamodb, sqs};
use super::{TAGS, arn, conflict, functions, gone, invalid, no_such_function};

/// An event source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mapping {
    /// The name of the function.
    function: String,
    source: String,
    settings: Map<String, Value>,
    enabled: bool,
    pub(super) tags: Tags,
    /// What AWS is doing, and until when.
    doing: String,
    until: f64,
}

/// How long a strict sandbox takes for each change, in seconds.
const TIME: f64 = 5.0;

/// The ARN of an event source.
pub(super) fn mapping_arn(region: &str, id: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:event-source-mapping:{id}")
}

impl Mapping {
    fn is_queue(&self) -> bool {
        self.source.contains(":sqs:")
    }

    fn view(&self, region: &str, id: &str, now: f64) -> Value {
        let mut view = Value::Object(self.settings.clone());
        let rest = if self.enabled { "Enabled" } else { "Disabled" };
        view["UUID"] = json!(id);
        view["FunctionArn"] = json!(arn(region, &self.function));
        view["EventSourceArn"] = json!(self.source);
        view["EventSourceMappingArn"] = json!(mapping_arn(region, id));
        view["State"] = json!(if self.until > now { self.doing.as_str() } else { rest });
        view["StateTransitionReason"] = json!("USER_INITIATED");
        view
    }

    fn assign(&mut self, input: &Value) -> Result<(), Refusal> {
        let queue = self.is_queue();
        for (key, most) in [("BatchSize", 10_000), ("MaximumBatchingWindowInSeconds", 300)] {
            if let Some(value) = number(input, key) {
                if value > most {
                    return Err(invalid(format!("{key} can be {most} at the most")));
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
            return Err(invalid("BatchSize of a FIFO queue can be 10 at the most, without window"));
        }
        if queue && batch > 10 && window < 1 {
            let message = "MaximumBatchingWindowInSeconds must be greater than 0 if maximum batch \
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
        if let Some(retries) = number(input, "MaximumRetryAttempts") {
            if queue {
                return Err(invalid("Unsupported MaximumRetryAttempts parameter for SQS"));
            }
            self.settings.insert("MaximumRetryAttempts".to_owned(), json!(retries));
        }
        let target = input.pointer("/DestinationConfig/OnFailure/Destination");
        match target.and_then(Value::as_str) {
            Some(_) if queue => return Err(invalid("Unsupported DestinationConfig for SQS")),
            Some(target) => {
                let config = match target.is_empty() {
                    true => json!({ "OnFailure": {} }),
                    false => json!({ "OnFailure": { "Destination": target } }),
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
        self.until = world.base.now() + if world.base.strict { TIME } else { 0.0 };
    }
}

/// Whether that is the ARN of an event source that is being deleted: it can still be read, but for
/// its tags.
pub(super) fn is_going(world: &World, region: &str, arn: &str) -> bool {
    let id = arn.rsplit(':').next().unwrap_or_default();
    world.lambda.mappings.get(&at(region, id)).is_some_and(|found| found.doing == "Deleting")
}

/// Lets go of what has been deleted for long enough.
pub(super) fn settle(world: &mut World) {
    let now = world.base.now();
    world.lambda.mappings.retain(|_, found| found.doing != "Deleting" || found.until > now);
}

/// A queue must hide its messages for as long as the function may take.
fn patient(world: &World, region: &str, source: &str, timeout: i64) -> Result<(), Refusal> {
    match sqs::visibility(&world.sqs, region, source) {
        Some(hidden) if hidden < timeout => Err(invalid(format!(
            "Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} \
             seconds"
        ))),
        Some(_) => Ok(()),
        None => Err(invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: \
                             AWS.SimpleQueueService.NonExistentQueue",
        )),
    }
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let found = functions::find(world, region, input).map_err(|_| no_such_function())?;
    let (function, timeout) = (found.0, found.1.timeout());
    let source = text(input, "EventSourceArn").unwrap_or_default().to_owned();
    let start = text(input, "StartingPosition");
    let is_twin = |other: &Mapping| other.function == function && other.source == source;
    let twin = here(&world.lambda.mappings, region).find(|(_, other)| is_twin(other));
    if let Some((id, _)) = twin {
        return Err(conflict(format!(
            "An event source mapping with event source arn (\" {source} \") and function name (\" \
             {function} \") already exists. Please update or delete the existing mapping with \
             UUID {id}"
        )));
    }
    let mut settings = Map::new();
    if source.contains(":sqs:") {
        patient(world, region, &source, timeout)?;
        if start.is_some() {
            return Err(invalid("StartingPosition is not valid for SQS event sources."));
        }
        settings.insert("BatchSize".to_owned(), json!(10));
    } else if dynamodb::has_stream(&world.dynamodb, region, &source) {
        let Some(start) = start else {
            return Err(invalid("1 validation error: Starting position must be given"));
        };
        let defaults = json!({
            "BatchSize": 100,
            "StartingPosition": start,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": -1,
            "ParallelizationFactor": 1,
            "BisectBatchOnFunctionError": false,
            "DestinationConfig": { "OnFailure": {} },
        });
        settings.extend(defaults.as_object().cloned().unwrap_or_default());
    } else {
        return Err(invalid(format!("Unrecognized event source: {source}")));
    }
    settings.insert("MaximumBatchingWindowInSeconds".to_owned(), json!(0));
    let mut mapping = Mapping { function, source, settings, enabled: true, ..Mapping::default() };
    mapping.assign(input)?;
    add_tags(&mut mapping.tags, map(input, "Tags"), TAGS)?;
    mapping.start(world, "Creating");
    let id = uuid(&mut world.base);
    let view = mapping.view(region, &id, world.base.now());
    world.lambda.mappings.insert(at(region, &id), mapping);
    Ok(view)
}

fn id(input: &Value) -> &str {
    text(input, "UUID").unwrap_or_default()
}

fn find<'a>(world: &'a World, region: &str, input: &Value) -> Result<&'a Mapping, Refusal> {
    let found = world.lambda.mappings.get(&at(region, id(input)));
    found.ok_or_else(|| gone(&format!("event source {}", id(input))))
}

/// Refuses a change during another one.
fn at_rest(mapping: &Mapping, now: f64) -> Result<(), Refusal> {
    match mapping.until > now {
        true => Err(Refusal::new(
            "ResourceInUseException",
            format!("Cannot change the event source mapping because it is {}.", mapping.doing),
        )),
        false => Ok(()),
    }
}

pub(super) fn get(world: &World, region: &str, input: &Value) -> Answer {
    Ok(find(world, region, input)?.view(region, id(input), world.base.now()))
}

pub(super) fn list(world: &World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let all = here(&world.lambda.mappings, region);
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
        let (function, found) = functions::find(world, region, input)?;
        let timeout = found.timeout();
        if mapping.is_queue() {
            patient(world, region, &mapping.source, timeout)?;
        }
        mapping.function = function;
    }
    mapping.assign(input)?;
    mapping.start(world, "Updating");
    let view = mapping.view(region, id(input), world.base.now());
    world.lambda.mappings.insert(at(region, id(input)), mapping);
    Ok(view)
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let mut mapping = find(world, region, input)?.clone();
    at_rest(&mapping, world.base.now())?;
    mapping.start(world, "Deleting");
    let view = mapping.view(region, id(input), world.base.now());
    world.lambda.mappings.insert(at(region, id(input)), mapping);
    settle(world);
    Ok(view)
}
