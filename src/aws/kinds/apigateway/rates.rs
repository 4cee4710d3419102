//! How fast API Gateway takes calls.

use crate::aws::pace::rates::Rates;

/// Ten calls a second in all, and far fewer of some, down to one in 30 s.
pub(crate) const RATES: Rates = Rates {
    service: "apigateway",
    at_once: 6,
    alone: &[
        "CreateApiKey",
        "CreateDeployment",
        "CreateResource",
        "CreateRestApi",
        "CreateVpcLink",
        "DeleteApiKey",
        "DeleteResource",
        "DeleteRestApi",
        "DeleteVpcLink",
        "GetResources",
        "PutRestApi",
        "UpdateAccount",
        "UpdateUsagePlan",
    ],
};
