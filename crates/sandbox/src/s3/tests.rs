//! Tests of S3, request by request.

use super::*;

#[test]
fn buckets_are_found_in_hosts_and_paths() {
    let check = |host: &str, target: &str, bucket: &str, key: &str| {
        let request = Request {
            method: "GET".into(),
            target: target.into(),
            headers: vec![("host".into(), host.into())],
            body: Vec::new(),
        };
        assert_eq!(place(&request), (bucket.to_owned(), key.to_owned()), "{host}{target}");
    };
    check("s3.eu-west-1.amazonaws.com", "/b/k%20x/y?versionId=1", "b", "k x/y");
    check("b.s3.eu-west-1.amazonaws.com", "/k", "b", "k");
    check("my.s3.data.s3.amazonaws.com", "/", "my.s3.data", "");
    check("127.0.0.1:4566", "/b", "b", "");
    check("localhost:4566", "/", "", "");
    check("b.localhost:4566", "/k", "b", "k");
    check("b.s3.localhost:4566", "/k", "b", "k");
}

#[test]
fn chunked_bodies_are_decoded() {
    let framed =
        b"5;chunk-signature=0\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
    assert_eq!(unframe(framed).as_deref(), Some(b"hello!".as_slice()));
    for broken in [b"5\r\nhel".as_slice(), b"x\r\n", b"", b"ffffffffffffffff\r\na"] {
        assert_eq!(unframe(broken), None);
    }
}

#[test]
fn unsupported_operations_are_named() {
    let name = |method: &str, target: &str| {
        let (method, target) = (method.into(), target.into());
        operation(&Request { method, target, ..Request::default() })
    };
    assert_eq!(name("GET", "/b?analytics"), "GET?analytics");
    assert_eq!(name("POST", "/b/k?restore"), "POST?restore");
    assert_eq!(name("PUT", "/b?lifecycle="), "PutBucketLifecycleConfiguration");
    assert_eq!(name("DELETE", "/b?lifecycle"), "DeleteBucketLifecycle");
    assert_eq!(name("DELETE", "/b/k?versionId=1&x-id=DeleteObject"), "DeleteObject");
}

/// Makes a request, signed for us-east-1. The answer is the status and the body.
fn ask(
    world: &mut World,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let signed = "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request";
    let mut all = vec![("host".to_owned(), "localhost".to_owned())];
    all.push(("authorization".to_owned(), signed.to_owned()));
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let (method, target) = (method.to_owned(), target.to_owned());
    let request = Request { method, target, headers: all, body: body.as_bytes().to_vec() };
    let response = handle(world, &request, &Route::of(&request));
    (response.status, String::from_utf8(response.body).unwrap())
}

fn with_bucket() -> World {
    let mut world = World::default();
    assert_eq!(ask(&mut world, "PUT", "/shop", &[], "").0, 200);
    world
}

/// The code and the details of a refusal.
fn refused(world: &mut World, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let (status, answer) = ask(world, "PUT", target, headers, body);
    assert!(status >= 400, "{target} {body}: {status} {answer}");
    answer
}

#[test]
fn an_error_names_its_bucket_or_key() {
    let mut world = with_bucket();
    for (target, code) in [
        ("/none?tagging", "NoSuchBucket"),
        ("/shop?tagging", "NoSuchTagSet"),
        ("/shop?policy", "NoSuchBucketPolicy"),
    ] {
        let (status, answer) = ask(&mut world, "GET", target, &[], "");
        let name = if code == "NoSuchBucket" { "none" } else { "shop" };
        assert_eq!(status, 404);
        assert!(answer.contains(&format!("<Code>{code}</Code>")), "{answer}");
        assert!(answer.contains(&format!("<BucketName>{name}</BucketName>")), "{answer}");
    }
    let owner = "x-amz-expected-bucket-owner";
    let asked =
        |world: &mut World, who: &str| ask(world, "GET", "/shop?acl", &[(owner, who)], "").0;
    assert_eq!(asked(&mut world, crate::ACCOUNT), 200);
    assert_eq!(asked(&mut world, "111111111111"), 403);
    assert_eq!(asked(&mut world, "abcd"), 400);
}

#[test]
fn buckets_are_created_only_where_aws_allows() {
    let mut world = World::default();
    let mut create = |constraint: &str| {
        let body = format!(
            "<CreateBucketConfiguration><LocationConstraint>{constraint}</LocationConstraint>\
             </CreateBucketConfiguration>"
        );
        ask(&mut world, "PUT", &format!("/b-{}", constraint.to_lowercase()), &[], &body)
    };
    assert_eq!(create("eu-central-1").0, 200);
    assert_eq!(create("EU").0, 200);
    for constraint in ["us-east-1", "foo", "aws-global"] {
        let (status, answer) = create(constraint);
        assert_eq!(status, 400);
        assert!(answer.contains("InvalidLocationConstraint"), "{answer}");
        assert!(answer.contains(&format!("<LocationConstraint>{constraint}</")), "{answer}");
    }
    let (_, location) = ask(&mut world, "GET", "/b-eu?location", &[], "");
    assert!(location.contains(">EU</LocationConstraint>"), "{location}");
    let bad = ask(&mut world, "GET", "/?bucket-region=eu-east-1", &[], "");
    assert!(bad.1.contains("Argument value eu-east-1 is not a valid AWS Region"), "{}", bad.1);
}

#[test]
fn sub_configurations_are_refused_as_aws_refuses_them() {
    let mut world = with_bucket();
    let website = |content: &str| format!("<WebsiteConfiguration>{content}</WebsiteConfiguration>");
    let index = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";
    let rule = |rule: &str| {
        website(&format!("{index}<RoutingRules><RoutingRule>{rule}</RoutingRule></RoutingRules>"))
    };
    let lifecycle = |rule: &str| {
        format!(
            "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status>{rule}</Rule>\
             </LifecycleConfiguration>"
        )
    };
    let days = "<Expiration><Days>1</Days></Expiration>";
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    for (target, body, message) in [
        ("website", website(""), "A value for IndexDocument Suffix must be provided"),
        ("website", website(&index.replace("index", "/index")), "Suffix is not well formed"),
        ("website", website(&format!("{index}<RoutingRules/>")), "MalformedXML"),
        ("website", rule("<Redirect><Protocol>x</Protocol></Redirect>"), "Invalid protocol"),
        ("website", rule("<Redirect/><Condition/>"), "Condition cannot be empty"),
        ("cors", "<CORSConfiguration/>".into(), "MalformedXML"),
        (
            "cors",
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>X\
             </AllowedMethod></CORSRule></CORSConfiguration>"
                .into(),
            "Unsupported method is X",
        ),
        (
            "accelerate",
            "<AccelerateConfiguration><Status>enabled</Status></AccelerateConfiguration>".into(),
            "MalformedXML",
        ),
        (
            "requestPayment",
            "<RequestPaymentConfiguration><Payer>x</Payer></RequestPaymentConfiguration>".into(),
            "MalformedXML",
        ),
        (
            "replication",
            "<ReplicationConfiguration/>".into(),
            "Versioning must be 'Enabled' on the bucket",
        ),
        (
            "versioning",
            "<VersioningConfiguration><Status>enabled</Status></VersioningConfiguration>".into(),
            "MalformedXML",
        ),
        ("policy", "{}".into(), "Missing required field Statement"),
        (
            "lifecycle",
            lifecycle(&format!("<Filter><Prefix/><And/></Filter>{days}")),
            "MalformedXML",
        ),
        (
            "lifecycle",
            lifecycle(&format!("<Filter><And>{tag}{tag}</And></Filter>{days}")),
            "Duplicate Tag Keys",
        ),
        (
            "lifecycle",
            lifecycle("<Filter/><Expiration><Date>2026-01-01T02:00:00Z</Date></Expiration>"),
            "'Date' must be at midnight GMT",
        ),
        ("lifecycle", lifecycle("<Filter/><NoncurrentVersionExpiration/>"), "MalformedXML"),
    ] {
        let answer = refused(&mut world, &format!("/shop?{target}"), &[], &body);
        assert!(answer.contains(message), "{body}: {answer}");
    }
    let least = [(lifecycle::LEAST, "x")];
    let rule = lifecycle(&format!("<Filter/>{days}"));
    let answer = refused(&mut world, "/shop?lifecycle", &least, &rule);
    assert!(answer.contains("Invalid TransitionDefaultMinimumObjectSize found: x"), "{answer}");
    assert_eq!(ask(&mut world, "PUT", "/shop?lifecycle", &[], &rule).0, 200);
    let (status, _) = ask(&mut world, "PUT", "/shop?tagging", &[], "<Tagging><TagSet/></Tagging>");
    assert_eq!(status, 204);
}

#[test]
fn acls_are_validated_before_ownership_is_checked() {
    let mut world = with_bucket();
    let log = format!("uri=\"http://acs.amazonaws.com/groups/s3/LogDelivery\", id=\"{OWNER}\"");
    for (headers, body, message) in [
        (vec![], "", "MissingSecurityHeader"),
        (vec![("x-amz-acl", "fake")], "", "<ArgumentValue>fake</ArgumentValue>"),
        (vec![("x-amz-acl", "private")], "x", "UnexpectedContent"),
        (vec![("x-amz-acl", "private"), ("x-amz-grant-read", "x")], "", "Specifying both"),
        (vec![("x-amz-grant-write", "id=\"x\"")], "", "Invalid id"),
        (vec![("x-amz-grant-write", "uri=\"x\"")], "", "Invalid group uri"),
        (vec![("x-amz-grant-write", "key=\"x\"")], "", "Argument format not recognized"),
        (vec![], "<AccessControlPolicy/>", "MalformedACLError"),
        (vec![("x-amz-acl", "public-read")], "", "AccessControlListNotSupported"),
        (vec![("x-amz-grant-read", &*log)], "", "AccessControlListNotSupported"),
    ] {
        let answer = refused(&mut world, "/shop?acl", &headers, body);
        assert!(answer.contains(message), "{headers:?}: {answer}");
    }
    ask(&mut world, "DELETE", "/shop?ownershipControls", &[], "");
    let public = [("x-amz-acl", "public-read")];
    assert!(refused(&mut world, "/shop?acl", &public, "").contains("AccessDenied"));
    ask(&mut world, "DELETE", "/shop?publicAccessBlock", &[], "");
    assert_eq!(ask(&mut world, "PUT", "/shop?acl", &public, "").0, 200);
    let (_, acl) = ask(&mut world, "GET", "/shop?acl", &[], "");
    assert!(acl.contains("global/AllUsers") && acl.contains("FULL_CONTROL"), "{acl}");
    assert_eq!(ask(&mut world, "PUT", "/shop?acl", &[("x-amz-grant-read", &log)], "").0, 200);
    let (_, acl) = ask(&mut world, "GET", "/shop?acl", &[], "");
    assert!(acl.contains("s3/LogDelivery") && !acl.contains("FULL_CONTROL"), "{acl}");
}

#[test]
fn notification_targets_must_exist() {
    let mut world = with_bucket();
    let told = |arn: &str, filter: &str| {
        format!(
            "<NotificationConfiguration><QueueConfiguration><Queue>{arn}</Queue><Event>\
             s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule>{filter}</FilterRule></S3Key>\
             </Filter></QueueConfiguration></NotificationConfiguration>"
        )
    };
    let prefix = "<Name>prefix</Name><Value>a</Value>";
    let queue = format!("arn:aws:sqs:us-east-1:{}:orders", crate::ACCOUNT);
    for (body, message) in [
        (told("queue", prefix), "The ARN could not be parsed"),
        (told(&queue, "<Name>prefix</Name>"), "MalformedXML"),
        (told(&queue, &prefix.replace("prefix", "x")), "must be either prefix or suffix"),
        (told(&queue, prefix), "<ArgumentValue1>The destination queue does not exist</"),
    ] {
        let answer = refused(&mut world, "/shop?notification", &[], &body);
        assert!(answer.contains(message), "{answer}");
    }
    let create = json!({ "QueueName": "orders" });
    crate::toolbox::testing::ask_in(&mut world, "us-east-1", "sqs", "CreateQueue", create).unwrap();
    let body = told(&queue, prefix);
    assert_eq!(ask(&mut world, "PUT", "/shop?notification", &[], &body).0, 200);
    let (_, kept) = ask(&mut world, "GET", "/shop?notification", &[], "");
    assert!(kept.contains("<Id>") && kept.contains("<Name>Prefix</Name>"), "{kept}");
}

#[test]
fn continuation_tokens_are_opaque() {
    let mut world = with_bucket();
    assert_eq!(ask(&mut world, "PUT", "/shop-2", &[], "").0, 200);
    let (_, page) = ask(&mut world, "GET", "/?max-buckets=1", &[], "");
    let (_, after) = page.split_once("<ContinuationToken>").unwrap();
    let (token, _) = after.split_once('<').unwrap();
    assert_ne!(token, "shop");
    let (_, rest) = ask(&mut world, "GET", &format!("/?continuation-token={token}"), &[], "");
    assert!(rest.contains("<Name>shop-2</Name>") && !rest.contains("<Name>shop</Name>"), "{rest}");
}

#[test]
fn multipart_uploads_are_listed_until_they_are_aborted() {
    let mut world = with_bucket();
    for key in ["b", "a", "a"] {
        let (status, begun) = ask(&mut world, "POST", &format!("/shop/{key}?uploads"), &[], "");
        assert_eq!(status, 200, "{begun}");
    }
    let text = |answer: &str, name: &str| {
        let document = Element::parse(answer).unwrap();
        document.text_at(&[name]).unwrap_or_default().to_owned()
    };
    let uploads = |answer: &str| -> Vec<(String, String)> {
        let document = Element::parse(answer).unwrap();
        let of = |upload: &Element, name| upload.text_at(&[name]).unwrap().to_owned();
        document.all("Upload").map(|one| (of(one, "Key"), of(one, "UploadId"))).collect()
    };
    let all = uploads(&ask(&mut world, "GET", "/shop?uploads", &[], "").1);
    assert_eq!(all.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "a", "b"]);

    let first = ask(&mut world, "GET", "/shop?uploads&max-uploads=1", &[], "").1;
    assert_eq!(
        (uploads(&first), text(&first, "IsTruncated")),
        (vec![all[0].clone()], "true".into())
    );
    let (key, id) = (text(&first, "NextKeyMarker"), text(&first, "NextUploadIdMarker"));
    let rest = format!("/shop?uploads&key-marker={key}&upload-id-marker={id}");
    assert_eq!(uploads(&ask(&mut world, "GET", &rest, &[], "").1), all[1..]);
    let behind = ask(&mut world, "GET", "/shop?uploads&key-marker=a", &[], "").1;
    assert_eq!(uploads(&behind), all[2..]);

    for (key, id) in &all {
        let target = format!("/shop/{key}?uploadId={id}");
        assert_eq!(ask(&mut world, "DELETE", &target, &[], "").0, 204);
        let (status, answer) = ask(&mut world, "DELETE", &target, &[], "");
        assert_eq!((status, text(&answer, "Code")), (404, "NoSuchUpload".into()));
    }
    assert!(uploads(&ask(&mut world, "GET", "/shop?uploads", &[], "").1).is_empty());
}
