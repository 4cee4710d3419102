//! Lines that services write.

use serde_json::json;

use super::super::World;
use super::super::toolbox::at;
use super::{Stream, ensure, millis};

/// The most events that a stream keeps: a sandbox lives long.
const MOST: usize = 10_000;

/// Adds lines to a stream, each with its age in milliseconds. Group and stream are made if they are
/// missing.
pub(crate) fn append(
    world: &mut World,
    region: &str,
    (group, stream): (&str, &str),
    lines: Vec<(i64, String)>,
) {
    ensure(world, region, group);
    let now = millis(&world.base);
    let Some(group) = world.logs.groups.get_mut(&at(region, group)) else { return };
    let new = || Stream { created: now, ..Stream::default() };
    let stream = group.streams.entry(stream.to_owned()).or_insert_with(new);
    stream.events.extend(lines.into_iter().map(
        |(age, line)| json!({ "timestamp": now - age, "message": line, "ingestionTime": now }),
    ));
    let surplus = stream.events.len().saturating_sub(MOST);
    stream.events.drain(..surplus);
}
