//! A semaphore that is fair between hosts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A number of permits, shared by the calls to several hosts. Cloning shares them.
///
/// A free permit is given at once. When there is none, the next one to be released goes to the host that holds the fewest of
/// those that wait, and there to the call that has waited longest. So a host that is out of reach, whose calls take long,
/// cannot keep the permits from the others.
#[derive(Clone)]
pub(super) struct FairSemaphore(Arc<Mutex<State>>);

struct State {
    free: usize,
    hosts: Vec<Host>,
}

#[derive(Default)]
struct Host {
    held: usize,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// One permit. It is released when this is dropped.
pub(super) struct Permit {
    semaphore: FairSemaphore,
    host: usize,
}

impl FairSemaphore {
    pub(super) fn new(permits: usize, hosts: usize) -> Self {
        let hosts = std::iter::repeat_with(Host::default).take(hosts).collect();
        Self(Arc::new(Mutex::new(State { free: permits, hosts })))
    }

    /// Waits for a permit for a host.
    pub(super) async fn acquire(&self, host: usize) -> Permit {
        loop {
            match self.acquire_or_wait(host) {
                Ok(permit) => return permit,
                Err(waiting) => {
                    if let Ok(permit) = waiting.await {
                        return permit;
                    }
                }
            }
        }
    }

    fn acquire_or_wait(&self, host: usize) -> Result<Permit, oneshot::Receiver<Permit>> {
        let mut state = self.state();
        if state.free == 0 {
            let (sender, receiver) = oneshot::channel();
            state.hosts[host].waiting.push_back(sender);
            return Err(receiver);
        }
        state.free -= 1;
        state.hosts[host].held += 1;
        Ok(Permit { semaphore: self.clone(), host })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The host that it is for.
    pub(super) fn host(&self) -> usize {
        self.host
    }
}

impl State {
    /// Counts a permit for the call that is next, if one waits.
    fn next(&mut self) -> Option<(usize, oneshot::Sender<Permit>)> {
        for host in &mut self.hosts {
            while host.waiting.pop_front_if(|sender| sender.is_closed()).is_some() {}
        }
        let waiting = self.hosts.iter_mut().enumerate().filter(|(_, host)| !host.waiting.is_empty());
        let (number, host) = waiting.min_by_key(|(_, host)| host.held)?;
        host.held += 1;
        Some((number, host.waiting.pop_front()?))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.semaphore.state();
        state.hosts[self.host].held -= 1;
        let Some((host, sender)) = state.next() else {
            state.free += 1;
            return;
        };
        drop(state);
        // A receiver that has gone meanwhile drops the permit, here or in its channel, which releases it again.
        drop(sender.send(Self { semaphore: self.semaphore.clone(), host }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::pin::Pin;

    /// The permit, if it was given to who waits.
    fn given(waiting: &mut Pin<Box<impl Future<Output = Permit>>>) -> Option<Permit> {
        waiting.as_mut().now_or_never()
    }

    #[tokio::test]
    async fn a_host_with_long_calls_does_not_hold_up_another() {
        let semaphore = FairSemaphore::new(2, 2);
        let (slow, _slow) = (semaphore.acquire(0).await, semaphore.acquire(0).await);
        let mut third_slow = Box::pin(semaphore.acquire(0));
        let mut first = Box::pin(semaphore.acquire(1));
        let mut second = Box::pin(semaphore.acquire(1));
        assert!([given(&mut third_slow), given(&mut first), given(&mut second)].iter().all(Option::is_none));
        drop(slow);
        let first = given(&mut first).expect("it goes to the host that holds none");
        drop(first);
        assert!(given(&mut third_slow).is_none());
        drop(given(&mut second).expect("and again"));
        assert!(given(&mut third_slow).is_some());
    }

    #[tokio::test]
    async fn calls_to_one_host_are_served_in_order_and_one_that_is_cancelled_loses_no_permit() {
        let semaphore = FairSemaphore::new(1, 1);
        let held = semaphore.acquire(0).await;
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(semaphore.acquire(0))).collect();
        assert!(waiting.iter_mut().all(|one| given(one).is_none()));
        // The first is cancelled before it is given the permit, the second after that.
        drop(waiting.remove(0));
        drop(held);
        drop(waiting.remove(0));
        let permit = given(&mut waiting[0]).expect("it was released again");
        assert!(given(&mut waiting[1]).is_none());
        drop(permit);
        drop(given(&mut waiting[1]).expect("it is the last"));
        let state = semaphore.state();
        assert_eq!((state.free, state.hosts[0].held), (1, 0));
    }
}
