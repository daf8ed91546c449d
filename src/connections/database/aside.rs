//! Reading that would hold the loop, on the thread where changes are made.

use rusqlite::Connection;

use super::Database;
use super::open::{PATIENCE, open_reader};
use crate::error::{Error, Result};

impl Database {
    /// Reads with a reader of its own, behind the changes that are being made.
    ///
    /// # Errors
    /// Those of `read`, and when nothing can be read.
    pub async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (path, limits, unwritten) =
            (self.path.clone(), self.limits.clone(), !self.writable.get());
        let work = move || read(&open_reader(&path, &limits, unwritten, PATIENCE)?);
        let read = self.worker.run(work).await;
        read.map_err(|cause| Error::store("the database's thread").because(cause))?
            .inspect_err(|error| self.examine(error))
    }
}
