//! The values of secrets: payctl generates them, or people bring them.

use std::collections::BTreeMap;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use time::{Duration, OffsetDateTime};

use super::{Generate, Seen, describe};
use crate::aws::clients::Aws;
use crate::aws::error::op;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::scope::Scope;

impl Generate {
    /// The secret value: JSON with a new password, or with a new key and its certificate.
    pub(super) fn value(&self) -> Result<String, OpError> {
        let fail = |code: &str, message: String| {
            OpError::new("CreateSecret", ErrorClass::Invalid, code, message)
        };
        let fields = match self {
            Self::Password(wanted) => {
                let made = password(wanted.length as usize, wanted.exclude_punctuation);
                let made = made.map_err(|error| {
                    fail(
                        "NoRandomness",
                        format!("cannot get random numbers from the system: {error}"),
                    )
                })?;
                let mut fields = wanted.template.clone();
                fields.insert(wanted.field.clone(), made);
                fields
            }
            Self::Certificate { self_signed: host } => certificate(host).map_err(|error| {
                fail("NoCertificate", format!("cannot make a certificate for {host}: {error}"))
            })?,
        };
        Ok(serde_json::to_string(&fields).expect("a map of strings encodes"))
    }
}

/// A new key, and a certificate for that host which it signs itself, valid for ten years. It begins a day
/// ago, for clocks that are behind.
fn certificate(host: &str) -> Result<BTreeMap<String, String>, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut wanted = CertificateParams::new([host.to_owned()])?;
    wanted.distinguished_name = DistinguishedName::new();
    wanted.distinguished_name.push(DnType::CommonName, host.chars().take(64).collect::<String>());
    let now = OffsetDateTime::now_utc();
    wanted.not_before = now - Duration::days(1);
    wanted.not_after = now + Duration::days(3650);
    let signed = wanted.self_signed(&key)?;
    Ok(BTreeMap::from([
        ("certificate".to_owned(), signed.pem()),
        ("key".to_owned(), key.serialize_pem()),
    ]))
}

/// Sets the value of a secret of this environment, as a version with that id: a second call with
/// the same id and value does not create another version. The secret must be ours by its name and
/// its tags right before. It is then named by its ARN, which no other secret of that name will ever
/// have. Returns the ARN.
pub(crate) async fn bring(
    aws: &Aws,
    address: &Address,
    name: &str,
    version: &str,
    value: &str,
) -> Result<String, OpError> {
    let refuse = |class, code, message: String| {
        Err(OpError::new("PutSecretValue", class, code, format!("the secret {name} {message}")))
    };
    let live = match describe(aws, None, name).await? {
        None => return refuse(ErrorClass::NotFound, "NoSecret", "does not exist".to_owned()),
        Some(Seen { dying: true, .. }) => {
            return refuse(ErrorClass::NotFound, "NoSecret", "has a pending deletion".to_owned());
        }
        Some(Seen { live, .. }) => live,
    };
    if live.spec.name != name || aws.scope.owned(&live.tags).as_ref() != Some(address) {
        let owner = Scope::describe_owner(&live.tags);
        return refuse(ErrorClass::Exists, "NotOurs", format!("belongs to {owner}"));
    }
    aws.secretsmanager
        .put_secret_value()
        .secret_id(&live.id)
        .client_request_token(version)
        .secret_string(value)
        .send()
        .await
        .map_err(op("PutSecretValue"))?;
    Ok(live.id)
}

/// No quote, slash, backslash, at sign or space: databases and URLs trip over them.
const CLASSES: [&str; 4] = [
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789",
    "!#$%&()*+,-.:;<=>?[]^_{|}~",
];

/// A password with at least one character of every class, if it is long enough for that.
fn password(length: usize, exclude_punctuation: bool) -> Result<String, getrandom::Error> {
    let classes = if exclude_punctuation { &CLASSES[..3] } else { &CLASSES[..] };
    let alphabet = classes.concat().into_bytes();
    // Bytes above the last whole multiple would favour the first characters.
    let fair = 256 - 256 % alphabet.len();
    loop {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let mut bytes = [0; 64];
            getrandom::fill(&mut bytes)?;
            let bytes = bytes.into_iter().map(usize::from).filter(|byte| *byte < fair);
            let room = length - text.len();
            text.extend(bytes.take(room).map(|byte| char::from(alphabet[byte % alphabet.len()])));
        }
        let has = |class: &&str| text.contains(|character| class.contains(character));
        if length < classes.len() || classes.iter().all(has) {
            return Ok(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;
    use crate::aws::kinds::secretsmanager::secret::Secret;
    #[cfg(feature = "sandbox")]
    use crate::aws::kinds::secretsmanager::secret::to_tags;
    use crate::aws::resource::Resource as _;
    #[cfg(feature = "sandbox")]
    use payctl_engine::model::live::Tags;

    #[test]
    fn a_password_has_its_length_and_every_character_class() {
        for length in [4, 12, 32, 200] {
            let text = password(length, false).unwrap();
            assert_eq!(text.len(), length);
            for class in CLASSES {
                assert!(text.contains(|character| class.contains(character)));
            }
        }
    }

    #[test]
    fn a_password_without_punctuation_is_letters_and_digits() {
        let long = password(500, true).unwrap();
        assert!(long.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(long, password(500, true).unwrap());
        assert_eq!(password(1, true).unwrap().len(), 1);
        assert_eq!(password(0, false).unwrap(), "");
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let wanted = Generate::Certificate { self_signed: "service.dev.example.org".into() };
        let value: BTreeMap<String, String> =
            serde_json::from_str(&wanted.value().unwrap()).unwrap();
        assert_eq!(value.keys().collect::<Vec<_>>(), ["certificate", "key"]);
        let key = KeyPair::from_pem(&value["key"]).unwrap();
        let pem = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        let der = pem(&value["certificate"]);
        let holds = |part: &[u8]| der.windows(part.len()).any(|window| window == part);
        assert!(holds(b"service.dev.example.org"));
        assert!(holds(key.public_key_raw()));
        assert_ne!(value["key"], certificate("service.dev.example.org").unwrap()["key"]);
    }

    #[test]
    fn a_value_is_the_template_with_a_password() {
        let value = Secret::sample().generate.unwrap().value().unwrap();
        let fields: BTreeMap<String, String> = serde_json::from_str(&value).unwrap();
        assert_eq!(fields["username"], "sample");
        assert_eq!(fields["password"].len(), 32);
        assert_eq!(fields.len(), 2);
    }

    /// A value that is brought to the secret `name`, which another one made with these tags.
    #[cfg(feature = "sandbox")]
    async fn brought(name: &str, tags: &Tags) -> (Result<String, OpError>, usize) {
        use crate::aws::clients::Connection;
        use payctl_sandbox::Sandbox;
        let connection = Connection {
            region: Some("us-east-1".into()),
            keys: Some(("sandbox".into(), "sandbox".into())),
            transport: Some(Sandbox::in_memory().transport()),
            ..Connection::default()
        };
        let aws = Aws::connect(&connection, "shop", "dev").await.unwrap();
        let made = aws.secretsmanager.create_secret().name(name).set_tags(Some(to_tags(tags)));
        made.send().await.unwrap();
        let address = Address::new("secretsmanager.secret", "provider");
        let version = "0123456789abcdef0123456789abcdef";
        let ended = bring(&aws, &address, "dev-provider", version, "sk_live").await;
        if ended.is_ok() {
            // The answer was lost: it is sent again.
            bring(&aws, &address, "dev-provider", version, "sk_live").await.unwrap();
        }
        let versions =
            aws.secretsmanager.list_secret_version_ids().secret_id(name).send().await.unwrap();
        (ended, versions.versions().len())
    }

    #[cfg(feature = "sandbox")]
    #[tokio::test]
    async fn a_value_is_written_once_and_only_to_our_secret() {
        let ours = |address: &str| {
            let pairs = [("project", "shop"), ("env", "dev"), ("region", "us-east-1")];
            let pairs = pairs.into_iter().chain([("address", address)]);
            pairs.map(|(key, value)| (format!("payctl:{key}"), value.to_owned())).collect::<Tags>()
        };
        let own = ours("secretsmanager.secret/provider");
        let (ended, versions) = brought("dev-provider", &own).await;
        assert!(ended.unwrap().contains(":secret:dev-provider-"));
        assert_eq!(versions, 1);
        let other = Tags::from([("payctl:env".to_owned(), "prod".to_owned())]);
        for tags in [
            Tags::new(),
            ours("secretsmanager.secret/other"),
            own.into_iter().chain(other).collect(),
        ] {
            let (ended, versions) = brought("dev-provider", &tags).await;
            let error = ended.unwrap_err();
            assert_eq!((error.class, versions), (ErrorClass::Exists, 0), "{error}");
        }
        let (ended, _) = brought("dev-provider-2", &ours("secretsmanager.secret/provider")).await;
        assert_eq!(ended.unwrap_err().class, ErrorClass::NotFound);
    }
}
