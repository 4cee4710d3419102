//! What S3 promises, request by request.

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
fn frames_are_taken_apart() {
    let framed =
        b"5;chunk-signature=0\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
    assert_eq!(unframe(framed).as_deref(), Some(b"hello!".as_slice()));
    for broken in [b"5\r\nhel".as_slice(), b"x\r\n", b"", b"ffffffffffffffff\r\na"] {
        assert_eq!(unframe(broken), None);
    }
}

#[test]
fn what_is_not_covered_is_named() {
    let name = |method: &str, target: &str| {
        let (method, target) = (method.into(), target.into());
        operation(&Request { method, target, ..Request::default() })
    };
    assert_eq!(name("GET", "/b?analytics"), "GET?analytics");
    assert_eq!(name("POST", "/b/k?uploads"), "POST?uploads");
    assert_eq!(name("PUT", "/b?lifecycle="), "PutBucketLifecycleConfiguration");
    assert_eq!(name("DELETE", "/b?lifecycle"), "DeleteBucketLifecycle");
    assert_eq!(name("DELETE", "/b/k?versionId=1&x-id=DeleteObject"), "DeleteObject");
}
