//! Coalesced calls without STS: which callers share them, how long each caller waits, and what ends them. The
//! clock is paused: it advances to the next timer when all tasks wait.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

/// How long each caller waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// A coalescer, and calls that get their answer when the test sends it.
struct Bench {
    coalescer: Arc<Coalescer>,
    answer: watch::Sender<Option<u32>>,
    begun: Arc<AtomicUsize>,
    /// Counts the calls that have an outcome or were dropped.
    ended: Arc<AtomicUsize>,
}

/// Counts when it is dropped.
struct CountedDrop(Arc<AtomicUsize>);

impl Drop for CountedDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn out_of_time() -> CallOutcome {
    CallOutcome::failed(StsFailure::Internal("out of time"))
}

impl Bench {
    fn new(valid: Duration) -> Self {
        let policy = CachePolicy { valid, expired: Duration::ZERO, entries: 10 };
        let (begun, ended) = (Arc::default(), Arc::default());
        let coalescer = Arc::new(Coalescer::new(policy).unwrap());
        Self { coalescer, answer: watch::Sender::new(None), begun, ended }
    }

    /// Looks up the same call as every other caller of the test, now.
    fn look_up(&self) -> Lookup {
        let key = self.coalescer.keys.of("test", ["the same"]);
        let keyed = KeyedCall { key, is_cacheable: true };
        let deadline = Instant::now() + PATIENCE;
        let wants_retries: WantsRetries = Arc::new(|| true);
        self.coalescer.join(keyed, deadline, &wants_retries, out_of_time(), |waiters| {
            self.begun.fetch_add(1, Ordering::Relaxed);
            let (ended, mut answer) = (CountedDrop(self.ended.clone()), self.answer.subscribe());
            async move {
                let _ended = ended;
                let answered = async {
                    let retries = answer.wait_for(Option::is_some).await.unwrap().unwrap();
                    identity(retries)
                };
                tokio::select! {
                    biased;
                    outcome = answered => outcome,
                    () = waiters.time_is_up() => waiters.so_far(),
                }
            }
        })
    }

    fn join(&self) -> PendingCall {
        match self.look_up() {
            Lookup::Call(pending) => pending,
            Lookup::Cached(..) => panic!("nothing was cached"),
        }
    }

    fn ask(&self) -> JoinHandle<Arc<CallOutcome>> {
        tokio::spawn(self.join().outcome())
    }

    /// How many calls were begun, and how many have ended.
    fn calls(&self) -> (usize, usize) {
        (self.begun.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }
}

/// An identity that is recognised by its number of retries.
fn identity(retries: u32) -> CallOutcome {
    let text = String::new;
    let (user_id, account, arn) = (text(), text(), text());
    let identity = Identity { user_id, account, arn, request_id: None, status: 200, headers: Vec::new() };
    CallOutcome { outcome: Ok(StsResponse::Identity(identity)), retries, max_attempts_reached: false }
}

fn was_answered(outcome: &CallOutcome) -> bool {
    outcome.outcome.is_ok()
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_a_deadline_of_its_own_and_the_call_that_of_the_last() {
    let bench = Bench::new(Duration::ZERO);
    let began = Instant::now();
    let mut callers = Vec::new();
    for _ in 0..5 {
        callers.push(bench.ask());
        sleep(PATIENCE / 2).await;
        assert_eq!(bench.calls(), (1, 0), "the call goes on as long as one caller waits");
    }
    // The first callers get an outcome at their deadline. The last one still waits.
    for caller in callers.drain(..4) {
        assert!(!was_answered(&caller.await.unwrap()));
    }
    assert_eq!(began.elapsed(), PATIENCE / 2 * 3 + PATIENCE);
    bench.answer.send_replace(Some(0));
    assert!(was_answered(&callers.remove(0).await.unwrap()));
    assert_eq!(bench.calls(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_call_itself_ends_at_the_deadline_of_the_last_and_is_not_just_dropped() {
    let bench = Bench::new(Duration::ZERO);
    let ended = Arc::new(AtomicUsize::new(0));
    let key = bench.coalescer.keys.of("test", ["another"]);
    let wants_retries: WantsRetries = Arc::new(|| true);
    let counted = ended.clone();
    let lookup = bench.coalescer.join(
        KeyedCall { key, is_cacheable: true },
        Instant::now() + PATIENCE,
        &wants_retries,
        out_of_time(),
        |waiters| async move {
            waiters.time_is_up().await;
            counted.fetch_add(1, Ordering::Relaxed);
            waiters.so_far()
        },
    );
    let Lookup::Call(pending) = lookup else { panic!("nothing was cached") };
    assert!(!was_answered(&*pending.outcome().await));
    assert_eq!(ended.load(Ordering::Relaxed), 1, "metrics and traces record the end");
}

#[tokio::test(start_paused = true)]
async fn the_call_goes_on_whoever_leaves_and_is_dropped_with_the_last_caller() {
    let bench = Bench::new(Duration::ZERO);
    for round in 1..=3 {
        let mut callers: Vec<_> = (0..300).map(|_| bench.join()).collect();
        assert_eq!(callers.iter().filter(|caller| caller.source == Source::Sts).count(), 1);
        while callers.len() > 1 {
            callers.remove(0);
            assert_eq!(bench.calls(), (round, round - 1));
        }
        callers.clear();
        assert_eq!(bench.calls(), (round, round), "dropped at once");
        assert!(lock(&bench.coalescer.calls).by_key.is_empty());
    }
    let last = bench.ask();
    bench.answer.send_replace(Some(0));
    assert!(was_answered(&last.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn the_caller_that_began_a_call_may_leave() {
    let bench = Bench::new(Duration::ZERO);
    let (first, second) = (bench.ask(), bench.ask());
    sleep(Duration::from_millis(1)).await;
    first.abort();
    bench.answer.send_replace(Some(0));
    assert!(was_answered(&second.await.unwrap()));
    assert_eq!(bench.calls(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_at_its_deadline_gets_the_latest_answer_of_sts() {
    let bench = Bench::new(Duration::ZERO);
    let (early, _other) = (bench.join(), bench.ask());
    early.waiters.set_so_far(identity(3));
    assert_eq!(early.outcome().await.retries, 3);
}

#[tokio::test(start_paused = true)]
async fn no_caller_joins_a_call_that_is_ending() {
    let bench = Bench::new(Duration::ZERO);
    let mut late = bench.join();
    advance(PATIENCE).await;
    // The call ends in this poll, but its last caller has not seen that yet.
    assert!(futures_util::poll!(&mut late.shared).is_ready());
    let fresh = bench.ask();
    bench.answer.send_replace(Some(0));
    assert!(was_answered(&fresh.await.unwrap()));
    assert!(!was_answered(&late.waiters.so_far()));
    assert_eq!(bench.calls(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_call_is_an_error_for_each_caller_and_no_hang() {
    let coalescer = Bench::new(Duration::from_mins(1)).coalescer;
    let key = coalescer.keys.of("test", ["a panic"]);
    let wants_retries: WantsRetries = Arc::new(|| true);
    let join = || {
        let deadline = Instant::now() + PATIENCE;
        let lookup = coalescer.join(
            KeyedCall { key, is_cacheable: true },
            deadline,
            &wants_retries,
            out_of_time(),
            |_| async {
                sleep(Duration::from_millis(1)).await;
                panic!("a fault of ours")
            },
        );
        let Lookup::Call(pending) = lookup else { panic!("a fault is not cached") };
        tokio::spawn(pending.outcome())
    };
    for caller in [join(), join(), join()] {
        let outcome = caller.await.expect("the caller does not panic");
        assert!(matches!(outcome.outcome, Err(StsFailure::Internal("the call to STS panicked"))));
    }
    assert!(lock(&coalescer.calls).by_key.is_empty());
    assert!(join().await.is_ok(), "the next caller begins a new call");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_cached_from_the_moment_at_which_the_call_ends() {
    let bench = Bench::new(Duration::from_mins(1));
    let caller = bench.ask();
    bench.answer.send_replace(Some(7));
    caller.await.unwrap();
    let Lookup::Cached(outcome, source) = bench.look_up() else { panic!("it was not cached") };
    assert_eq!((outcome.retries, source.name(), bench.calls()), (7, Some("cache"), (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn another_attempt_begins_only_if_somebody_wants_it_and_will_still_be_there() {
    let now = Instant::now();
    let (no, yes): (WantsRetries, WantsRetries) = (Arc::new(|| false), Arc::new(|| true));
    let (waiters, first) = Waiters::first(now + PATIENCE, &yes, out_of_time());
    assert!(waiters.want_another(now) && !waiters.want_another(now + PATIENCE), "not at its deadline");
    let second = waiters.join(now + 2 * PATIENCE, &no).unwrap();
    assert!(waiters.want_another(now) && !waiters.want_another(now + PATIENCE), "the second wants none");
    drop(first);
    assert!(!waiters.want_another(now));
    let _third = waiters.join(now + 2 * PATIENCE, &yes).unwrap();
    assert!(waiters.want_another(now + PATIENCE));
    drop(second);
    assert!(waiters.want_another(now + PATIENCE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_of_several_threads_who_come_and_go_leave_nothing_behind() {
    let coalescer = Bench::new(Duration::ZERO).coalescer;
    let callers: Vec<_> = (0..64_usize)
        .map(|caller| {
            let coalescer = coalescer.clone();
            tokio::spawn(async move {
                for round in 0..200 {
                    let key = coalescer.keys.of("test", [["one", "two"][(caller + round) % 2]]);
                    let wants_retries: WantsRetries = Arc::new(|| true);
                    let deadline = Instant::now() + PATIENCE;
                    let begin = |_| async {
                        tokio::task::yield_now().await;
                        identity(0)
                    };
                    let lookup = coalescer.join(
                        KeyedCall { key, is_cacheable: true },
                        deadline,
                        &wants_retries,
                        out_of_time(),
                        begin,
                    );
                    let Lookup::Call(pending) = lookup else { panic!("nothing was cached") };
                    tokio::select! {
                        biased;
                        outcome = pending.outcome() => assert!(was_answered(&outcome)),
                        () = tokio::task::yield_now(), if (caller + round) % 3 == 0 => {}
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(lock(&coalescer.calls).by_key.is_empty());
}
