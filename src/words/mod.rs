//! Words that the config and AWS share: each with its spelling in the config and its spelling at AWS.
//!
//! The config, the blueprint and the kinds use one enum, so that a word is written once. A new word is one
//! line here; the schema and the docs take it from the same line.

/// An enum of words. Each has its spelling in the config by the enum's serde attributes, and AWS's
/// own after the `=`.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$meaning:meta])* $word:ident = $aws:literal,)+
        }
    ) => {
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        $(#[$about])*
        pub enum $name {
            $($(#[$meaning])* $word,)+
        }

        impl $name {
            /// AWS's word.
            pub fn aws(self) -> &'static str {
                match self {
                    $(Self::$word => $aws,)+
                }
            }

            /// The word that AWS spells like this.
            pub fn from_aws(word: &str) -> Option<Self> {
                match word {
                    $($aws => Some(Self::$word),)+
                    _ => None,
                }
            }
        }
    };
}

pub mod alarms;
pub mod apis;
pub mod aws_services;
pub mod buckets;
pub mod certificates;
pub mod checks;
pub mod clusters;
pub mod cost_anomalies;
pub mod databases;
pub mod domains;
pub mod firewalls;
pub mod fleets;
pub mod functions;
pub mod load_balancers;
pub mod log_groups;
pub mod metrics;
pub mod network;
pub mod policies;
pub mod security_groups;
pub mod services;
pub mod shifts;
pub mod tables;
pub mod target_groups;
pub mod threat_detection;
pub mod topics;
