//! Questions about single objects that are asked at the same moment travel in one call.
//!
//! A question waits a moment for company. Its answer was always asked for after the question, so it is as
//! fresh as one of its own: nothing is remembered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, Shared};
use tokio::time::sleep;

use payctl_engine::model::error::OpError;
use payctl_engine::provider::Answer;

/// How long a question waits for company.
const MOMENT: Duration = Duration::from_millis(5);

/// How many questions travel in one call: what AWS takes in the values of one filter or list.
const MOST: usize = 100;

/// The questions that wait for company, by what they ask.
#[derive(Debug)]
pub(super) struct Together<Item> {
    open: Mutex<BTreeMap<String, Batch<Item>>>,
}

/// Questions that travel together, and their answer.
#[derive(Debug)]
struct Batch<Item> {
    items: Arc<Mutex<Vec<Item>>>,
    answer: Shared<BoxFuture<'static, Result<Answer, OpError>>>,
}

impl<Item> Default for Together<Item> {
    fn default() -> Self {
        Self { open: Mutex::default() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<Item: Send + 'static> Together<Item> {
    /// The answer about everything that was asked with this question. `ask` is called for the first of
    /// them, with all.
    pub(super) async fn ask<T, F>(
        self: &Arc<Self>,
        question: &str,
        item: Item,
        ask: impl FnOnce(Vec<Item>) -> F + Send + 'static,
    ) -> Result<Arc<T>, OpError>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<T, OpError>> + Send + 'static,
    {
        let answer = self.join(question, item, ask).await?;
        Ok(answer.downcast().expect("a question is asked for one type"))
    }

    fn join<T, F>(
        self: &Arc<Self>,
        question: &str,
        item: Item,
        ask: impl FnOnce(Vec<Item>) -> F + Send + 'static,
    ) -> Shared<BoxFuture<'static, Result<Answer, OpError>>>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<T, OpError>> + Send + 'static,
    {
        let mut open = lock(&self.open);
        if let Some(batch) = open.get(question) {
            let mut items = lock(&batch.items);
            if items.len() < MOST {
                items.push(item);
                return batch.answer.clone();
            }
        }
        let items = Arc::new(Mutex::new(vec![item]));
        let (own, key) = (Arc::clone(&items), question.to_owned());
        let all = Arc::downgrade(self);
        let answer = async move {
            sleep(MOMENT).await;
            // From here on, the same question opens another batch.
            if let Some(all) = all.upgrade() {
                let mut open = lock(&all.open);
                if open.get(&key).is_some_and(|batch| Arc::ptr_eq(&batch.items, &own)) {
                    open.remove(&key);
                }
            }
            let items = std::mem::take(&mut *lock(&own));
            ask(items).await.map(|answer| Arc::new(answer) as Answer)
        };
        let answer = answer.boxed().shared();
        open.insert(question.to_owned(), Batch { items, answer: answer.clone() });
        answer
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    /// Asks, and counts the calls.
    async fn ask(all: &Arc<Together<u32>>, calls: &Arc<Mutex<Vec<usize>>>, item: u32) -> bool {
        let calls = Arc::clone(calls);
        let asked = all.ask("Describe", item, move |items| async move {
            lock(&calls).push(items.len());
            sleep(Duration::from_millis(50)).await;
            Ok(items)
        });
        asked.await.unwrap().contains(&item)
    }

    #[tokio::test(start_paused = true)]
    async fn questions_of_the_same_moment_travel_in_one_call() {
        let (all, calls) = (Arc::new(Together::default()), Arc::default());
        let seen = join_all((0..250).map(|item| ask(&all, &calls, item))).await;
        assert!(seen.into_iter().all(|seen| seen));
        assert_eq!(*lock(&calls), [100, 100, 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_gets_no_answer_from_before_it() {
        let (all, calls) = (Arc::new(Together::default()), Arc::default());
        let late = async {
            // The first call is under way.
            sleep(Duration::from_millis(20)).await;
            ask(&all, &calls, 2).await
        };
        assert_eq!(tokio::join!(ask(&all, &calls, 1), late), (true, true));
        assert_eq!(*lock(&calls), [1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_given_up_leaves_the_others_theirs() {
        let (all, calls) = (Arc::new(Together::default()), Arc::default());
        let first = tokio::time::timeout(Duration::from_millis(1), ask(&all, &calls, 1));
        let second = async {
            tokio::task::yield_now().await;
            ask(&all, &calls, 2).await
        };
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_err() && second);
        assert!(ask(&all, &calls, 3).await);
    }
}
