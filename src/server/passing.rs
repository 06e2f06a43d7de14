//! The small tasks between the rooms: ports that are bound, requests handed on, the inbox told what is committed.

use std::net::SocketAddr;

use anyhow::anyhow;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::decode::Batch;
use crate::inbox::Inbox;
use crate::receive::intake::Taken;
use crate::store::Store;

/// Binds a port, or says why not and what to do.
pub async fn bind(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!(
            "{name}: port {} on {} is in use. Stop what holds it, or choose another with --{} HOST:PORT (port 0 picks one).",
            address.port(),
            address.ip(),
            name.replace('_', "-")
        ),
        _ => anyhow!("{name}: {address} cannot be bound: {error}."),
    })
}

/// From the inbox into the corridor, in order. A request gives its memory back when the corridor is next to take it.
pub async fn forward(mut delivered: mpsc::Receiver<(u64, Taken)>, batches: mpsc::Sender<(u64, Batch)>) {
    while let Some((seq, Taken { batch, held })) = delivered.recv().await {
        if batches.send((seq, batch)).await.is_err() {
            return;
        }
        drop(held);
    }
}

/// Tells the inbox how far the catalog has come, so that it can delete whole files.
pub async fn pass(store: Store, inbox: Inbox<Taken>, mut live: watch::Receiver<u64>) {
    while live.changed().await.is_ok() {
        if let Ok(watermark) = store.watermark().await {
            inbox.passed(watermark);
        }
    }
}
