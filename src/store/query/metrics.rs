//! Metric streams, hot and cold as one.

use super::{TRIES, outrun};
use crate::rollup::stream::{Changes, Stream};
use crate::store::{Error, Store};

impl Store {
    /// Where metric streams stand, of the integrations of a name or all.
    pub async fn streams(&self, integration: Option<&str>) -> Result<Changes, Error> {
        let ours = |stream: &Stream| integration.is_none_or(|name| *name == *stream.integration.name);
        for _ in 0..TRIES {
            let (watermark, mut kept) = self.inner.catalog.streams(integration).await?;
            let above = self.inner.hot.above(watermark, |current| current.changes.clone());
            if let Some((frozen, current)) = above {
                frozen.iter().for_each(|generation| kept.extend(generation.changes.clone()));
                kept.extend(current);
                kept.streams.retain(|_, stream| stream.as_ref().is_some_and(ours));
                return Ok(kept);
            }
        }
        Err(outrun())
    }
}
