//! Draws a description: `cargo run -p payctl-drawing --example draw -- html < dev.json > dev.html`.

use std::io::{Read as _, Write as _};

use payctl_drawing::{Drawing, html, svg};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let drawing: Drawing = serde_json::from_str(&text)?;
    let drawn = match std::env::args().nth(1).as_deref() {
        Some("svg") => svg(&drawing),
        _ => html(&drawing),
    };
    std::io::stdout().write_all(drawn.as_bytes())?;
    Ok(())
}
