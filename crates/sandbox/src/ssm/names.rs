//! The names of parameters, and references to them.

use super::{INVALID, State, arn, invalid};
use crate::Refusal;
use crate::toolbox::{at, is_name};

/// The name, given by name or by ARN.
pub(super) fn plain<'a>(reference: &'a str, region: &str) -> &'a str {
    let start = arn(region, "/");
    reference.strip_prefix(&start[..start.len() - 1]).unwrap_or(reference)
}

/// The key of the parameter in the state, given by name or by ARN. At the root the name is the same
/// with and without the slash, because the ARN is the same.
pub(super) fn place_of(state: &State, region: &str, reference: &str) -> String {
    let name = plain(reference, region);
    let place = at(region, name);
    let other = match name.strip_prefix('/') {
        Some(rest) if !rest.contains('/') => at(region, rest),
        None if !name.contains('/') => at(region, &format!("/{name}")),
        _ => return place,
    };
    if !state.parameters.contains_key(&place) && state.parameters.contains_key(&other) {
        other
    } else {
        place
    }
}

/// Refuses a name that no parameter can have.
pub(super) fn well_formed(name: &str) -> Result<(), Refusal> {
    let (path, rooted) = match name.strip_prefix('/') {
        Some(path) => (path, true),
        None => (name, !name.contains('/')),
    };
    let fine = name.len() <= 1011 && path.split('/').all(|part| is_name(part, 1..=1011, "_.-"));
    if rooted && fine {
        Ok(())
    } else {
        Err(invalid(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a \
             path, it can consist of sub-paths divided by slash symbol; each sub-path can be \
             formed as a mix of letters, numbers and the following 3 symbols .-_",
        ))
    }
}

/// Refuses a name that a new parameter cannot have.
pub(super) fn valid(name: &str) -> Result<(), Refusal> {
    let first = name.trim_start_matches('/').to_lowercase();
    if first.starts_with("aws") || first.starts_with("ssm") {
        let message =
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).";
        return Err(Refusal::new(INVALID, message));
    }
    if name.strip_prefix('/').unwrap_or(name).split('/').count() > 15 {
        let message = "The parameter name has more than 15 levels.";
        return Err(Refusal::new("HierarchyLevelLimitExceededException", message));
    }
    well_formed(name)
}
