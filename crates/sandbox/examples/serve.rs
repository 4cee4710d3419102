//! Serves an empty sandbox on 127.0.0.1 until you end it: `cargo run -p payctl-sandbox --example
//! serve -- 4567`. It keeps nothing on disk. It does not need the SDK, so you can try a change of
//! the sandbox within seconds. Users run `payctl sandbox serve`.

use std::future::pending;
use std::io;

use payctl_sandbox::{Sandbox, serve};

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let port = port.ok_or_else(|| io::Error::other("say which port: serve -- PORT"))?;
    serve(Sandbox::in_memory(), port, pending(), |_| ()).await
}
