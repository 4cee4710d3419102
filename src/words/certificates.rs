//! The words of `[certificates]`.

words! {
    /// The algorithm of the key of a certificate.
    #[derive(Default)]
    #[serde(rename_all = "snake_case")]
    pub enum KeyAlgorithm {
        /// RSA with 2,048 bits, which every client knows.
        #[default]
        #[serde(rename = "rsa_2048")]
        Rsa2048 = "RSA_2048",
        /// ECDSA on P-256: as strong as RSA with 3,072 bits, and faster.
        #[serde(rename = "ec_p256")]
        EcP256 = "EC_prime256v1",
        /// ECDSA on P-384.
        #[serde(rename = "ec_p384")]
        EcP384 = "EC_secp384r1",
    }
}
