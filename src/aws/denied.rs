//! Decodes the encoded messages of denied calls.
//!
//! EC2 answers `You are not authorized ... Encoded authorization failure message: <blob>`; STS
//! decodes the blob for those who may call `sts:DecodeAuthorizationMessage`.

use serde_json::Value;

use super::clients::Aws;
use payctl_engine::model::error::{ErrorClass, OpError};

/// The text before the blob.
const MARK: &str = "Encoded authorization failure message:";

/// Replaces an encoded message by the sentence that other services use. Without the permission to
/// decode it, the message stays.
pub async fn decode(aws: &Aws, error: &mut OpError) {
    if error.class != ErrorClass::Denied {
        return;
    }
    let Some((before, blob)) = error.message.split_once(MARK) else { return };
    let call = aws.sts.decode_authorization_message().encoded_message(blob.trim());
    let Ok(answer) = call.send().await else { return };
    if let Some(sentence) = answer.decoded_message().and_then(sentence_of) {
        error.message = format!("{} {sentence}", before.trim());
    }
}

/// `User: arn is not authorized to perform: ec2:CreateVpc on resource: arn`.
fn sentence_of(decoded: &str) -> Option<String> {
    let decoded: Value = serde_json::from_str(decoded).ok()?;
    let context = decoded.get("context")?;
    let action = context.get("action")?.as_str()?;
    let resource = context.get("resource").and_then(Value::as_str).unwrap_or("*");
    let who = context.pointer("/principal/arn").and_then(Value::as_str).unwrap_or("you");
    let why = match decoded.get("explicitDeny").and_then(Value::as_bool) {
        Some(true) => "with an explicit deny",
        Some(false) | None => "because no policy allows it",
    };
    Some(format!(
        "User: {who} is not authorized to perform: {action} on resource: {resource} {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoded_message_becomes_the_usual_sentence() {
        let decoded = r#"{"allowed":false,"explicitDeny":false,"context":{"principal":
            {"arn":"arn:aws:iam::1:user/ci"},"action":"ec2:CreateVpc","resource":"arn:vpc/*"}}"#;
        assert_eq!(
            sentence_of(decoded).unwrap(),
            "User: arn:aws:iam::1:user/ci is not authorized to perform: ec2:CreateVpc on \
             resource: arn:vpc/* because no policy allows it"
        );
        assert_eq!(sentence_of("{}"), None);
    }
}
