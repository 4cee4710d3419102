//! A request over HTTP that must succeed.

use std::time::Duration;

use crate::aws::clients::{Aws, within};
use crate::aws::web::Request;
use payctl_engine::model::verdict::Verdict;

/// A request and the answer to expect.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The address.
    pub url: String,
    /// The status to expect.
    pub status: u16,
    /// After what time payctl gives up.
    pub timeout: Duration,
}

impl Probe {
    /// How long the answer took, or why it is not the expected one. Redirects are answers like any other.
    pub(super) async fn ask(&self, aws: &Aws) -> Result<Duration, String> {
        let Self { url, status, timeout } = self;
        let request = Request { method: "GET".into(), url: url.clone(), ..Request::default() };
        let answer = within(*timeout, aws.ask(&request)).await;
        match answer.ok_or_else(|| format!("{url}: no answer within {} s", timeout.as_secs()))? {
            Ok(answer) if answer.status == *status => Ok(answer.took),
            Ok(answer) => Err(format!("{url} answers {}, not {status}", answer.status)),
            Err(Verdict::Passed(why) | Verdict::Failed(why) | Verdict::NotRun(why)) => {
                Err(format!("{url}: {why}"))
            }
        }
    }
}
