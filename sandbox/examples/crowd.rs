//! An STS with many callers, which throttles above some requests a second: for load tests.
//!
//! ```text
//! cargo run --release -p sts-sandbox --example crowd -- 10000 500
//! ```
//!
//! The first line is its URL; the others are the callers, one JSON object each. Without a second number nothing
//! is throttled. It runs until its standard input ends.

use std::io::{BufWriter, Read as _, Write as _};

use serde_json::json;
use sts_sandbox::{Caller, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().ok_or("how many callers?")?.parse()?;
    let throttle: Option<u32> = arguments.next().map(|number| number.parse()).transpose()?;
    let callers: Vec<_> =
        (0..count).map(|number| Caller::user("123456789012", format!("user-{number}"))).collect();
    let mut builder = Sandbox::builder().callers(callers).keep_requests(0);
    if let Some(requests) = throttle {
        builder = builder.throttle_above(requests);
    }
    let sandbox = builder.start().await?;
    let mut stdout = BufWriter::new(std::io::stdout());
    writeln!(stdout, "{}", sandbox.url())?;
    for caller in sandbox.callers() {
        let object =
            json!({"AccessKeyId": caller.access_key_id, "SecretAccessKey": caller.secret_access_key});
        writeln!(stdout, "{object}")?;
    }
    drop(stdout);
    let ended = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(ended).await??;
    Ok(())
}
