//! A thread for work that would hold the loop. The two that the program has look up names and
//! write to the database.
//!
//! Not `smol::unblock`: the threads of its pool wake twice a second for as long as they live,
//! whether there is work or not.

use std::cell::OnceCell;
use std::io;
use std::thread;

use async_channel::Sender;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that starts with its first work and ends soon after this is dropped.
pub struct Worker {
    name: &'static str,
    jobs: OnceCell<Sender<Job>>,
}

impl Worker {
    /// Nothing is started yet. The system shows 15 bytes of the name.
    pub const fn new(name: &'static str) -> Self {
        Self { name, jobs: OnceCell::new() }
    }

    /// Does `work` on the thread, one after the other. What has begun goes on when nobody waits
    /// for it any more; what has not is left undone.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let (done, result) = async_channel::bounded(1);
        let job = Box::new(move || {
            if !done.is_closed() {
                let _ = done.try_send(work());
            }
        });
        let ended = || io::Error::other("the thread has ended");
        self.jobs()?.send(job).await.map_err(|_| ended())?;
        result.recv().await.map_err(|_| ended())
    }

    fn jobs(&self) -> io::Result<&Sender<Job>> {
        if let Some(jobs) = self.jobs.get() {
            return Ok(jobs);
        }
        let (sender, jobs) = async_channel::bounded::<Job>(1);
        thread::Builder::new().name(self.name.to_owned()).spawn(move || {
            while let Ok(job) = jobs.recv_blocking() {
                job();
            }
        })?;
        Ok(self.jobs.get_or_init(|| sender))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use smol::future;

    use super::*;

    #[test]
    fn work_is_done_in_order_on_one_thread_and_not_when_nobody_waits() {
        let worker = Worker::new("work");
        let (release, gate) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let say = |word| {
            let tell = tell.clone();
            move || tell.send((word, thread::current().id())).expect("a test that listens")
        };
        smol::block_on(async {
            let begun = say("begun");
            let mut abandoned = Box::pin(worker.run(move || {
                begun();
                gate.recv().expect("released");
            }));
            assert!(future::poll_once(&mut abandoned).await.is_none());
            let (_, there) = told.recv().expect("it begins");
            assert_ne!(there, thread::current().id());
            drop(abandoned);
            assert!(future::poll_once(worker.run(say("left undone"))).await.is_none());
            let last = worker.run(say("last"));
            release.send(()).expect("it goes on");
            last.await.expect("a thread");
            assert_eq!(told.try_iter().collect::<Vec<_>>(), [("last", there)]);
        });
    }

    #[test]
    fn the_thread_ends_with_its_owner() {
        let worker = Worker::new("work");
        let (held, released) = mpsc::channel::<()>();
        smol::block_on(worker.run(move || {
            thread_local!(static HELD: OnceCell<mpsc::Sender<()>> = const { OnceCell::new() });
            HELD.with(|cell| cell.set(held)).expect("set once");
        }))
        .expect("a thread");
        drop(worker);
        assert!(released.recv().is_err(), "what the thread held is gone");
    }
}
