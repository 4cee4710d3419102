//! The roles and instance profiles of all environments: the tagging API does not know them, and their
//! path names the environment.

use futures::future::try_join;

use crate::aws::census::{Index, Indexed};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::error::op;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::Tags;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::{ROOT, TAG_ENV, TAG_PROJECT, TAG_REGION};

/// See the module.
pub(in crate::aws::kinds) const INDEX: Index = Index {
    permits: &[Permit::look(&["iam:ListInstanceProfiles", "iam:ListRoles"], &["*"])],
    ask: |aws| Box::pin(ask(aws)),
};

async fn ask(aws: &Aws) -> Result<Vec<Indexed>, OpError> {
    let roles = || async {
        let pages = aws.iam.list_roles().path_prefix(ROOT).max_items(1000).into_paginator();
        let roles = pages.items().send().try_collect().await.map_err(op("ListRoles"))?;
        Ok::<_, OpError>(
            roles.into_iter().filter_map(|role| at(role.arn, &role.path)).collect::<Vec<_>>(),
        )
    };
    let profiles = || async {
        let call = aws.iam.list_instance_profiles().path_prefix(ROOT).max_items(1000);
        let found = call.into_paginator().items().send().try_collect().await;
        let found = found.map_err(op("ListInstanceProfiles"))?.into_iter();
        Ok::<_, OpError>(found.filter_map(|one| at(one.arn, &one.path)).collect::<Vec<_>>())
    };
    let (mut found, profiles) = try_join(retry_read(roles), retry_read(profiles)).await?;
    found.extend(profiles);
    Ok(found)
}

/// What a path says: `/payctl/PROJECT/ENV/REGION/`.
fn at(arn: String, path: &str) -> Option<Indexed> {
    let mut parts = path.strip_prefix(ROOT)?.trim_end_matches('/').split('/');
    let own = [TAG_PROJECT, TAG_ENV, TAG_REGION].map(|key| (key, parts.next()));
    let tags = own.into_iter().map(|(key, part)| Some((key.to_owned(), part?.to_owned())));
    Some(Indexed { arn, tags: tags.collect::<Option<Tags>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_the_environment_and_the_path_of_the_account_does_not() {
        let found = at("arn".into(), "/payctl/payment/pr-7/eu-west-1/").unwrap();
        assert_eq!(found.tags[TAG_PROJECT], "payment");
        assert_eq!(found.tags[TAG_ENV], "pr-7");
        assert_eq!(found.tags[TAG_REGION], "eu-west-1");
        assert_eq!(at("arn".into(), "/payctl/shared/"), None);
        assert_eq!(at("arn".into(), "/"), None);
    }
}
