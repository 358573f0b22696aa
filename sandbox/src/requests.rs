//! The requests that a sandbox received.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::Request;

/// The newest requests, up to a maximum number.
#[derive(Debug)]
pub(crate) struct Requests {
    limit: usize,
    newest: Mutex<VecDeque<Request<Bytes>>>,
}

impl Requests {
    pub fn keeping(limit: usize) -> Self {
        Self { limit, newest: Mutex::default() }
    }

    /// Adds a request, and removes the oldest one if there are too many.
    pub fn push(&self, request: &Request<Bytes>) {
        if self.limit == 0 {
            return;
        }
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() == self.limit {
            newest.pop_front();
        }
        newest.push_back(request.clone());
    }

    /// The requests, oldest first.
    pub fn all(&self) -> Vec<Request<Bytes>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
