//! The catalog of a folder on which a server may be working: for commands that change who may do what.

use std::path::Path;

use super::catalog::sqlite::Catalog;
use super::segments::folder::claim;
use super::{Error, World};

/// Opens it, making or migrating it where no server works on it.
pub async fn open(folder: &Path, world: &World) -> Result<Catalog, Error> {
    match claim(folder, &*world.files) {
        Ok(lock) => {
            let catalog = Catalog::open(folder).await;
            // From here on a server may start: the catalog is made for several processes.
            drop(lock);
            catalog
        }
        Err(Error::Refused(_)) => Catalog::open_beside(folder).await,
        Err(other) => Err(other),
    }
}
