//! Partitions, worked on by several threads.

use std::io;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::PARTITION_COUNT;

/// Works on all partitions, each worker on one at a time, on the threads of the current rayon pool.
///
/// `take` gives a partition out, and `hand_over` gets what a worker has made of one; both are called
/// under one lock. Partitions differ in size, so a worker takes the next one when it is done with
/// its last: which worker gets which, and in which order they are handed over, is chance.
///
/// # Errors
///
/// The first error of either; then no more partitions are taken.
pub(crate) fn for_each_partition<W: Send, P>(
    workers: &mut [W],
    take: impl FnMut(usize) -> io::Result<P> + Send,
    work: impl Fn(&mut W, P) + Sync,
    hand_over: impl FnMut(&mut W) -> io::Result<()> + Send,
) -> io::Result<()> {
    let ends = Mutex::new(Ends { next: 0, take, hand_over, outcome: Ok(()) });
    workers.par_iter_mut().for_each(|worker| {
        loop {
            // A thread that panics brings the others' result down with it.
            let taken = ends.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(partition) = taken else { return };
            work(worker, partition);
            ends.lock().unwrap_or_else(PoisonError::into_inner).hand_over(worker);
        }
    });
    ends.into_inner().unwrap_or_else(PoisonError::into_inner).outcome
}

/// Where partitions come from, and where what is made of them goes.
struct Ends<T, H> {
    next: usize,
    take: T,
    hand_over: H,
    outcome: io::Result<()>,
}

impl<T, H> Ends<T, H> {
    fn take<P>(&mut self) -> Option<P>
    where
        T: FnMut(usize) -> io::Result<P>,
    {
        if self.outcome.is_err() || self.next == PARTITION_COUNT {
            return None;
        }
        let taken = (self.take)(self.next);
        self.next += 1;
        taken.map_err(|error| self.outcome = Err(error)).ok()
    }

    fn hand_over<W>(&mut self, worker: &mut W)
    where
        H: FnMut(&mut W) -> io::Result<()>,
    {
        if self.outcome.is_ok() {
            self.outcome = (self.hand_over)(worker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_by(
        worker_count: usize,
        fails_at: Option<usize>,
        fails_after: Option<u64>,
    ) -> (io::Result<()>, u64, usize) {
        let mut workers = vec![0_u64; worker_count];
        let (mut sum, mut taken) = (0, 0);
        let outcome = for_each_partition(
            &mut workers,
            |partition| {
                taken += 1;
                match fails_at == Some(partition) {
                    true => Err(io::Error::other("no room")),
                    false => Ok(partition as u64),
                }
            },
            |worker, partition| *worker += partition,
            |worker| {
                sum += std::mem::take(worker);
                match fails_after.is_some_and(|at| sum >= at) {
                    true => Err(io::Error::other("full")),
                    false => Ok(()),
                }
            },
        );
        (outcome, sum, taken)
    }

    #[test]
    fn every_partition_is_worked_on_once_by_any_number_of_workers() {
        let all = (PARTITION_COUNT * (PARTITION_COUNT - 1) / 2) as u64;
        for worker_count in [1, 2, 7] {
            let (outcome, sum, taken) = sum_by(worker_count, None, None);
            assert!(outcome.is_ok(), "{worker_count} workers");
            assert_eq!((sum, taken), (all, PARTITION_COUNT), "{worker_count} workers");
        }
    }

    #[test]
    fn after_an_error_no_partition_is_taken() {
        let (outcome, sum, taken) = sum_by(1, Some(3), None);
        assert_eq!(outcome.unwrap_err().to_string(), "no room");
        assert_eq!((sum, taken), (3, 4));
        let (outcome, sum, taken) = sum_by(1, None, Some(3));
        assert_eq!(outcome.unwrap_err().to_string(), "full");
        assert_eq!((sum, taken), (3, 3));
    }
}
