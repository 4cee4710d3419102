//! Client tokens: the same request with the same token does not create a second object.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::Refusal;
use super::Cx;

/// The result of an earlier call with a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    /// The request.
    input: Value,
    /// The ids of the new objects. They may be deleted by now.
    pub ids: Vec<String>,
    /// The answer at that time.
    pub answer: Value,
}

impl Cx<'_> {
    /// The result of an earlier call with the same token. A different request with that token is
    /// refused.
    pub(super) fn replay(&self) -> Result<Option<Token>, Refusal> {
        let Some(token) = self.token().and_then(|key| self.here.tokens.get(&key)) else {
            return Ok(None);
        };
        if token.input != self.call.input {
            return Err(Refusal::new(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in \
                 previous request(s).",
            ));
        }
        Ok(Some(token.clone()))
    }

    /// Remembers the result of a call with a token.
    pub(super) fn remember(&mut self, ids: Vec<String>, answer: &Value) {
        if let Some(key) = self.token() {
            let token = Token { input: self.call.input.clone(), ids, answer: answer.clone() };
            self.here.tokens.insert(key, token);
        }
    }

    fn token(&self) -> Option<String> {
        let token = self.text("ClientToken").filter(|token| !token.is_empty())?;
        Some(format!("{}:{token}", self.call.operation))
    }
}
