//! Whether somebody looks at what a client shows: the page says so, and while it does, no notification
//! is sent.

use super::{FanOut, Queue};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a page that said that it is in view counts as that. It repeats it every 20 s: one that
/// was put to sleep cannot say that it is not any more.
const IN_VIEW: Duration = Duration::from_secs(45);

impl FanOut {
    /// The subscribers who look at what one of their clients shows at this time.
    pub fn in_view(&self, now: Instant) -> HashSet<Uuid> {
        let clients = self.lock();
        let seen = (clients.iter()).filter(|(_, queues)| queues.iter().any(|q| q.is_in_view(now)));
        seen.map(|(user, _)| *user).collect()
    }

    /// A client of a subscriber says at this time whether somebody looks at what it shows.
    pub fn set_in_view(&self, user: &Uuid, number: u64, is_in_view: bool, now: Instant) {
        let mut clients = self.lock();
        let mut queues = clients.get_mut(user).into_iter().flatten();
        if let Some(queue) = queues.find(|queue| queue.number == number) {
            let is_news = queue.is_in_view(now) != is_in_view;
            queue.in_view_until = is_in_view.then(|| now + IN_VIEW);
            if is_news {
                self.changed.notify_one();
            }
        }
    }

    /// Whether a subscriber looks at what one of their clients shows at this time.
    pub fn is_in_view(&self, user: &Uuid, now: Instant) -> bool {
        let clients = self.lock();
        let mut queues = clients.get(user).into_iter().flatten();
        queues.any(|queue| queue.is_in_view(now))
    }
}

impl Queue {
    fn is_in_view(&self, now: Instant) -> bool {
        self.in_view_until.is_some_and(|until| now < until)
    }
}
