//! How fast API Gateway takes calls.

use crate::aws::pace::rates::Rates;

/// Ten calls a second in all, and far fewer of some, down to one in 30 s.
pub(crate) const RATES: Rates = Rates {
    service: "apigateway",
    at_once: 6,
    alone: &[
        "CreateApiKey",
        "CreateDeployment",
        "CreateDomainName",
        "CreateResource",
        "CreateRestApi",
        "CreateVpcLink",
        "DeleteApiKey",
        "DeleteDomainName",
        "DeleteResource",
        "DeleteRestApi",
        "DeleteVpcLink",
        "GetResources",
        "PutRestApi",
        "UpdateAccount",
        "UpdateDomainName",
        "UpdateUsagePlan",
    ],
};
