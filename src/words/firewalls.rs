//! The words of `[firewalls]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The action for requests that no rule decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Allow them.
    #[default]
    Allow,
    /// Block them.
    Block,
}

words! {
    /// The handling of parts that are longer than WAF reads.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum Oversize {
        /// WAF inspects the beginning.
        #[default]
        Continue = "CONTINUE",
        /// The part matches.
        Match = "MATCH",
        /// The part does not match.
        NoMatch = "NO_MATCH",
    }
}

words! {
    /// A transformation of a part before the inspection.
    #[serde(rename_all = "snake_case")]
    pub enum Transformation {
        /// Nothing.
        None = "NONE",
        /// `%41` becomes `A`.
        UrlDecode = "URL_DECODE",
        /// The same, with Microsoft's Unicode.
        UrlDecodeUni = "URL_DECODE_UNI",
        /// `&lt;` becomes `<`.
        HtmlEntityDecode = "HTML_ENTITY_DECODE",
        /// Upper case becomes lower case.
        Lowercase = "LOWERCASE",
        /// Several spaces become one.
        CompressWhiteSpace = "COMPRESS_WHITE_SPACE",
        /// Removes characters that hide commands of an operating system.
        CmdLine = "CMD_LINE",
        /// `\u0041` becomes `A`.
        JsDecode = "JS_DECODE",
        /// Base64 is decoded.
        Base64Decode = "BASE64_DECODE",
    }
}

words! {
    /// The sensitivity for SQL.
    #[serde(rename_all = "snake_case")]
    pub enum Sensitivity {
        /// Finds less, with few false alarms.
        Low = "LOW",
        /// Finds more, with more false alarms.
        High = "HIGH",
    }
}
