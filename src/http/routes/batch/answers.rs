//! The answers of a batch that the client has not read yet.

use crate::http::connection::ClientConnection;
use crate::http::verification::Verification;
use axum::body::{Body, Bytes};
use futures_util::stream;
use std::io;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// The maximum size of unread answers, for a client that uploads first and reads later. Above it no further
/// line is read.
const MAX_UNREAD_BYTES: usize = 2 * 1024 * 1024;

/// Receives the answers.
pub(super) struct Answers {
    lines: mpsc::UnboundedSender<Bytes>,
    /// The number of bytes that the client has not read.
    unread: watch::Sender<usize>,
}

/// Sends the answers to the client.
pub(super) struct AnswerBody {
    lines: mpsc::UnboundedReceiver<Bytes>,
    unread: watch::Sender<usize>,
}

pub(super) fn channel() -> (Answers, AnswerBody) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let unread = watch::Sender::new(0);
    (Answers { lines: sender, unread: unread.clone() }, AnswerBody { lines: receiver, unread })
}

impl Answers {
    pub(super) fn put(&self, number: u64, verification: &Verification) {
        let line = line(number, verification);
        self.unread.send_modify(|unread| *unread += line.len());
        // This fails if the client has left, which ends the batch.
        let _ = self.lines.send(line.into());
    }

    /// Resolves when there is room for another answer.
    pub(super) async fn room(&self) {
        // This fails only when the sender is gone, but it is owned here.
        let _ = self.unread.subscribe().wait_for(|unread| *unread <= MAX_UNREAD_BYTES).await;
    }
}

impl AnswerBody {
    /// The body of the response. Dropping it ends the work. A client that has closed its side is treated as
    /// gone: between two answers nothing can be sent that would show whether it still reads.
    pub(super) fn of(self, work: JoinSet<()>, client: ClientConnection) -> Body {
        Body::from_stream(stream::unfold((self, work), move |(mut answers, work)| {
            let client = client.clone();
            async move {
                let line = tokio::select! {
                    biased;
                    line = answers.lines.recv() => line?,
                    () = client.half_close() => {
                        let left = io::Error::other("the client has left");
                        return Some((Err(left), (answers, work)));
                    }
                };
                answers.unread.send_modify(|unread| *unread -= line.len());
                Some((Ok(line), (answers, work)))
            }
        }))
    }
}

/// One answer as a line.
fn line(number: u64, verification: &Verification) -> String {
    let Verification { status, body, verdict, retry_after, .. } = verification;
    let verdict = verdict.map_or("null".to_owned(), |verdict| format!("\"{}\"", verdict.as_str()));
    let retry_after = retry_after.map_or("null".to_owned(), |seconds| seconds.to_string());
    // The claims of a token are sent as they were signed. Line ends in JSON occur only between tokens, where a
    // space means the same.
    let body = body.replace(['\n', '\r'], " ");
    format!(
        "{{\"line\":{number},\"status\":{},\"verdict\":{verdict},\"retry_after\":{retry_after},\"body\":{body}}}\n",
        status.as_u16()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::ApiError;
    use crate::sts::Verdict;
    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};

    #[test]
    fn an_answer_is_one_line_whatever_its_body_s_line_ends() {
        let mut verification = Verification::error(&ApiError::Overloaded, Some(Verdict::Indeterminate));
        verification.body = "{\r\n  \"a\": \"b c\"\n}".to_owned();
        let line = line(7, &verification);
        assert_eq!(line.matches(['\n', '\r']).count(), 1);
        let expected = json!({"line": 7, "status": 503, "verdict": "indeterminate", "retry_after": 1, "body": {"a": "b c"}});
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }

    #[tokio::test]
    async fn there_is_room_again_when_the_client_has_taken_enough() {
        let (answers, body) = channel();
        let mut answer = Verification::error(&ApiError::TooLarge, None);
        answer.body = format!("\"{}\"", "x".repeat(MAX_UNREAD_BYTES / 2));
        answers.put(1, &answer);
        answers.room().await;
        answers.put(2, &answer);
        assert!(tokio::time::timeout(std::time::Duration::ZERO, answers.room()).await.is_err());
        let mut body = body.of(JoinSet::new(), ClientConnection::default());
        let _ = body.frame().await.unwrap().unwrap();
        answers.room().await;
    }
}
