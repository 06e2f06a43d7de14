//! A bare HTTP/1.1 POST of OTLP/JSON, for points that no OpenTelemetry SDK sends: gauges with a past time.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LONGEST: Duration = Duration::from_secs(30);

/// Posts a JSON document; an error unless the answer is a 2xx within 30 s.
pub async fn post(to: SocketAddr, path: &str, body: &serde_json::Value) -> anyhow::Result<()> {
    tokio::time::timeout(LONGEST, exchange(to, path, &body.to_string()))
        .await
        .with_context(|| format!("{to} did not answer POST {path} within {LONGEST:?}"))?
}

async fn exchange(to: SocketAddr, path: &str, body: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(to).await.with_context(|| format!("{to} cannot be reached"))?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or("no status");
    if !status.starts_with('2') {
        bail!("{to} answered POST {path} with {status}: {}", answer.lines().last().unwrap_or(""));
    }
    Ok(())
}
