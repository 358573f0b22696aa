//! A semaphore that is fair between hosts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// One host may hold at most this many times the permits that are left for the others.
const SHARE: usize = 8;

/// A number of permits, shared by the calls to several hosts. Clones share the permits.
///
/// A host that is out of reach, whose calls take long, cannot take all permits from the others: the more
/// permits it holds, the more must be left over ([`SHARE`]), and the last one is reserved for a host that holds
/// none. A released permit goes to the waiting host that holds the fewest, and there to the call that has
/// waited longest.
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

/// One permit. It is released on drop.
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
        if !state.may_take(&state.hosts[host]) {
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

impl State {
    fn may_take(&self, host: &Host) -> bool {
        let left = self.free.saturating_sub(1);
        let is_alone = self.hosts.len() == 1;
        self.free > 0 && (is_alone || host.held == 0 || host.held < SHARE.saturating_mul(left))
    }

    /// Takes a permit for the next waiting call, if one is waiting and allowed to have it.
    fn next(&mut self) -> Option<(usize, oneshot::Sender<Permit>)> {
        for host in &mut self.hosts {
            while host.waiting.pop_front_if(|sender| sender.is_closed()).is_some() {}
        }
        let waiting = self.hosts.iter().enumerate().filter(|(_, host)| !host.waiting.is_empty());
        let (number, host) = waiting.min_by_key(|(_, host)| host.held)?;
        if !self.may_take(host) {
            return None;
        }
        self.free -= 1;
        self.hosts[number].held += 1;
        Some((number, self.hosts[number].waiting.pop_front()?))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.semaphore.state();
        state.hosts[self.host].held -= 1;
        state.free += 1;
        let next: Vec<_> = std::iter::from_fn(|| state.next()).collect();
        drop(state);
        for (host, sender) in next {
            // If the receiver was dropped meanwhile, the permit is dropped here or in the channel, which
            // releases it again.
            drop(sender.send(Self { semaphore: self.semaphore.clone(), host }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use std::pin::Pin;

    /// The permit, if the waiting call has it.
    fn permit_of(waiting: &mut Pin<Box<impl Future<Output = Permit>>>) -> Option<Permit> {
        waiting.as_mut().now_or_never()
    }

    /// Takes permits for a host until it gets no more.
    fn take_all(semaphore: &FairSemaphore, host: usize) -> Vec<Permit> {
        std::iter::from_fn(|| semaphore.acquire(host).now_or_never()).collect()
    }

    #[test]
    fn a_single_host_may_have_all_permits_and_one_of_several_leaves_some() {
        assert_eq!(take_all(&FairSemaphore::new(512, 1), 0).len(), 512);
        for (permits, most) in [(1, 1), (2, 1), (4, 3), (20, 17), (512, 455)] {
            let semaphore = FairSemaphore::new(permits, 3);
            let first = take_all(&semaphore, 0);
            assert_eq!(first.len(), most, "of {permits}");
            assert_eq!(take_all(&semaphore, 1).is_empty(), permits == 1);
        }
    }

    #[test]
    fn two_hosts_that_hang_leave_the_last_permit_to_another() {
        let semaphore = FairSemaphore::new(20, 3);
        let hanging = [take_all(&semaphore, 0), take_all(&semaphore, 1)];
        assert_eq!(hanging.each_ref().map(Vec::len), [17, 2]);
        assert!(semaphore.acquire(2).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_permit_goes_to_the_host_that_holds_the_fewest() {
        let semaphore = FairSemaphore::new(2, 2);
        let slow = semaphore.acquire(0).await;
        let quick = semaphore.acquire(1).await;
        let mut third_slow = Box::pin(semaphore.acquire(0));
        let mut second_quick = Box::pin(semaphore.acquire(1));
        assert!(permit_of(&mut third_slow).is_none() && permit_of(&mut second_quick).is_none());
        drop(quick);
        let quick = permit_of(&mut second_quick).expect("its host holds none");
        drop(quick);
        assert!(permit_of(&mut third_slow).is_none(), "the last one is for a host that holds none");
        drop(slow);
        assert!(permit_of(&mut third_slow).is_some());
    }

    #[tokio::test]
    async fn calls_to_one_host_are_served_in_order_and_one_that_is_cancelled_loses_no_permit() {
        let semaphore = FairSemaphore::new(1, 1);
        let held = semaphore.acquire(0).await;
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(semaphore.acquire(0))).collect();
        assert!(waiting.iter_mut().all(|one| permit_of(one).is_none()));
        // The first is cancelled before it gets the permit, the second afterwards.
        drop(waiting.remove(0));
        drop(held);
        drop(waiting.remove(0));
        let permit = permit_of(&mut waiting[0]).expect("it was released again");
        assert!(permit_of(&mut waiting[1]).is_none());
        drop(permit);
        drop(permit_of(&mut waiting[1]).expect("it is the last"));
        let state = semaphore.state();
        assert_eq!((state.free, state.hosts[0].held), (1, 0));
    }
}
