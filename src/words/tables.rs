//! The words of `[tables]`.

words! {
    /// The content of a stream record.
    #[serde(rename_all = "snake_case")]
    pub enum Stream {
        /// The keys.
        KeysOnly = "KEYS_ONLY",
        /// The item after the change.
        NewImage = "NEW_IMAGE",
        /// The item before the change.
        OldImage = "OLD_IMAGE",
        /// The item before and after the change.
        NewAndOldImages = "NEW_AND_OLD_IMAGES",
    }
}
