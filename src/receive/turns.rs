//! Turns at reading requests: as many at a time as there are processors, and senders in a circle, so that one with a
//! thousand requests waiting does not stand before one with a single request.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::connections::Sender;

/// How long a request waits for its turn before its sender is told to come again. An answer within a second is worth
/// more to it than a place in a long queue.
const PATIENCE: Duration = Duration::from_millis(300);

/// Up to so many wait while all is calm.
const CALM: usize = 4;

/// The turns.
#[derive(Clone, Debug)]
pub struct Turns {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Who is next; each sender that waits is in it once.
    circle: VecDeque<u64>,
    waiting: HashMap<u64, VecDeque<oneshot::Sender<Turn>>>,
}

impl State {
    /// The next that waits: one of the sender whose turn it is, who then goes to the end.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let sender = self.circle.pop_front()?;
        let queue = self.waiting.get_mut(&sender)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&sender);
        } else {
            self.circle.push_back(sender);
        }
        next
    }
}

/// Leave to read one request; dropping it is the next one's turn.
#[derive(Debug)]
pub struct Turn(Option<Turns>);

impl Turn {
    /// Whether few wait for theirs: then whoever has one keeps nothing waiting for long.
    pub fn is_calm(&self) -> bool {
        self.0.as_ref().is_none_or(|turns| {
            let state = turns.lock();
            state.circle.len() <= CALM && state.waiting.values().map(VecDeque::len).sum::<usize>() <= CALM
        })
    }
}

impl Turns {
    /// So many at a time.
    pub fn new(at_a_time: usize) -> Turns {
        let state = State { free: at_a_time.max(1), circle: VecDeque::new(), waiting: HashMap::new() };
        Turns { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a turn; none when it did not come in time.
    pub async fn take(&self, sender: &Sender) -> Option<Turn> {
        let sender = sender.number;
        let turn = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Turn(Some(self.clone())));
            }
            let (give, turn) = oneshot::channel();
            let queue = state.waiting.entry(sender).or_default();
            // Those that gave up do not pile up before the next turn takes them out.
            queue.retain(|waiting| !waiting.is_closed());
            let is_new = queue.is_empty();
            queue.push_back(give);
            if is_new && !state.circle.contains(&sender) {
                state.circle.push_back(sender);
            }
            turn
        };
        tokio::time::timeout(PATIENCE, turn).await.ok()?.ok()
    }

    /// Gives a turn on to the next that still waits.
    fn pass(&self) {
        loop {
            let next = {
                let mut state = self.lock();
                let next = state.next();
                if next.is_none() && state.circle.is_empty() {
                    state.free += 1;
                    return;
                }
                next
            };
            let Some(next) = next else { continue };
            match next.send(Turn(Some(self.clone()))) {
                Ok(()) => return,
                // It gave up; its turn must not pass itself on, this loop does.
                Err(mut unwanted) => drop(unwanted.0.take()),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_quiet_sender_does_not_stand_behind_a_flood() {
        let turns = Turns::new(1);
        let first = turns.take(&Sender::numbered(1)).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let wait = |sender: u64| {
            let (turns, order) = (turns.clone(), order.clone());
            tokio::spawn(async move {
                let turn = turns.take(&Sender::numbered(sender)).await;
                order.lock().unwrap().push(sender);
                drop(turn);
            })
        };
        let mut tasks: Vec<_> = (0..100).map(|_| wait(1)).collect();
        tokio::task::yield_now().await;
        tasks.push(wait(2));
        tokio::task::yield_now().await;
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap();
        assert!(order.iter().position(|sender| *sender == 2).unwrap() <= 1, "{order:?}");
        assert_eq!(order.len(), 101);
        assert_eq!(turns.lock().free, 1);
    }

    #[tokio::test]
    async fn who_waits_too_long_is_sent_away_and_leaves_nothing_behind() {
        let turns = Turns::new(1);
        let busy = turns.take(&Sender::numbered(1)).await.unwrap();
        assert!(turns.take(&Sender::numbered(2)).await.is_none());
        assert!(turns.take(&Sender::numbered(2)).await.is_none());
        drop(busy);
        let turn = turns.take(&Sender::numbered(3)).await;
        assert!(turn.is_some());
        drop(turn);
        let state = turns.lock();
        assert!(state.free == 1 && state.circle.is_empty() && state.waiting.is_empty());
    }
}
