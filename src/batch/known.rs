//! The known answers by request, in little memory: a list may have 100,000 requests, each a hundred times.
//!
//! A request is identified by 128 bits of its HMAC. An answer is packed into some 150 bytes. Texts that many
//! answers share (codes, messages, regions) are stored once.

use super::answer::{Answer, Verdict};
use std::collections::HashMap;

/// Identifies a request.
pub(super) type Fingerprint = [u8; 16];

/// The size of a chunk of packed answers. An answer is always shorter, because a reply of STS has at most 64
/// KiB.
const CHUNK_BYTES: usize = 512 * 1024;

/// The maximum length of a text in an answer.
const MAX_TEXT_BYTES: usize = 60_000;

/// The maximum number of shared texts.
const MAX_SHARED_TEXTS: usize = 4_096;

/// The number for no text.
const NONE: u16 = 0;
/// The number for a text that follows.
const INLINE: u16 = u16::MAX;

/// The answers by request.
#[derive(Default)]
pub(super) struct KnownAnswers {
    /// The position of each answer: the chunk, and the offset in it.
    positions: HashMap<Fingerprint, (u32, u32)>,
    chunks: Vec<Vec<u8>>,
    shared: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u16>,
}

impl KnownAnswers {
    pub(super) fn insert(&mut self, request: Fingerprint, answer: &Answer) {
        let packed = self.pack(answer);
        if self.chunks.last().is_none_or(|chunk| chunk.len() + packed.len() > CHUNK_BYTES) {
            self.chunks.push(Vec::with_capacity(CHUNK_BYTES));
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let position = (number, chunk.len());
        chunk.extend_from_slice(&packed);
        if let (Ok(number), Ok(start)) = (u32::try_from(position.0), u32::try_from(position.1)) {
            self.positions.insert(request, (number, start));
        }
    }

    pub(super) fn get(&self, request: &Fingerprint) -> Option<Answer> {
        let (chunk, start) = *self.positions.get(request)?;
        let packed = self.chunks.get(chunk as usize)?.get(start as usize..)?;
        Unpacker { packed, shared: &self.shared }.answer().ok()
    }

    fn pack(&mut self, answer: &Answer) -> Vec<u8> {
        let verdict = Verdict::ALL.iter().position(|verdict| *verdict == answer.verdict);
        let mut packed = Vec::with_capacity(256);
        packed.push(u8::try_from(verdict.unwrap_or_default()).unwrap_or_default());
        packed.extend(answer.attempts.to_le_bytes());
        for text in [&answer.error_code, &answer.error_message, &answer.region] {
            let number = text.as_ref().map_or(NONE, |text| self.number_of(text));
            put(&mut packed, number, text.as_deref());
        }
        for text in [&answer.account, &answer.arn, &answer.user_id, &answer.request_id] {
            put(&mut packed, if text.is_some() { INLINE } else { NONE }, text.as_deref());
        }
        packed
    }

    /// The number of a shared text, or [`INLINE`] if there are too many.
    fn number_of(&mut self, text: &str) -> u16 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u16::try_from(self.shared.len() + 1).unwrap_or(INLINE);
        if self.shared.len() >= MAX_SHARED_TEXTS || text.len() > MAX_TEXT_BYTES {
            return INLINE;
        }
        self.shared.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }
}

fn put(packed: &mut Vec<u8>, number: u16, text: Option<&str>) {
    packed.extend(number.to_le_bytes());
    if let Some(text) = text.filter(|_| number == INLINE) {
        let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
        packed.extend(u16::try_from(text.len()).unwrap_or_default().to_le_bytes());
        packed.extend(text.as_bytes());
    }
}

struct Unpacker<'a> {
    packed: &'a [u8],
    shared: &'a [Box<str>],
}

/// A packed answer that ends too early. This does not happen, because only packed answers are unpacked.
struct Cut;

impl Unpacker<'_> {
    fn answer(mut self) -> Result<Answer, Cut> {
        let [verdict] = self.take()?;
        let attempts = u32::from_le_bytes(self.take()?);
        let [error_code, error_message, region, account, arn, user_id, request_id] = [
            self.text()?,
            self.text()?,
            self.text()?,
            self.text()?,
            self.text()?,
            self.text()?,
            self.text()?,
        ];
        let verdict = *Verdict::ALL.get(usize::from(verdict)).ok_or(Cut)?;
        Ok(Answer { verdict, account, arn, user_id, error_code, error_message, region, request_id, attempts })
    }

    fn text(&mut self) -> Result<Option<String>, Cut> {
        match u16::from_le_bytes(self.take()?) {
            NONE => Ok(None),
            INLINE => {
                let length = usize::from(u16::from_le_bytes(self.take()?));
                let (text, rest) = self.packed.split_at_checked(length).ok_or(Cut)?;
                self.packed = rest;
                Ok(Some(String::from_utf8_lossy(text).into_owned()))
            }
            number => {
                let text = self.shared.get(usize::from(number) - 1).ok_or(Cut)?;
                Ok(Some(text.to_string()))
            }
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Cut> {
        let (taken, rest) = self.packed.split_first_chunk().ok_or(Cut)?;
        self.packed = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(number: usize) -> Answer {
        Answer {
            verdict: Verdict::Valid,
            account: Some("123456789012".to_owned()),
            arn: Some(format!("arn:aws:iam::123456789012:user/division/person-{number}")),
            user_id: Some(format!("AIDAEXAMPLE{number:010}")),
            error_code: None,
            error_message: None,
            region: Some("us-east-1".to_owned()),
            request_id: Some(format!("8102c0c9-0411-4723-8eaf-{number:012}")),
            attempts: 1,
        }
    }

    #[test]
    fn each_of_a_hundred_thousand_requests_takes_less_than_300_bytes() {
        let mut known = KnownAnswers::default();
        for number in 0..100_000_usize {
            let mut request = Fingerprint::default();
            request[..8].copy_from_slice(&number.to_le_bytes());
            known.insert(request, &answer(number));
        }
        let packed: usize = known.chunks.iter().map(Vec::capacity).sum();
        // A hash table doubles when it grows and is at most seven eighths full.
        let table = known.positions.capacity() * 8 / 7 * (size_of::<(Fingerprint, (u32, u32))>() + 1);
        assert!((packed + table) / 100_000 < 300, "{packed} and {table} bytes");
    }

    proptest! {
        #[test]
        fn an_answer_is_the_same_after_packing(
            texts in proptest::collection::vec(proptest::option::of("\\PC{0,40}"), 7), attempts in any::<u32>(), verdict in 0_usize..4,
        ) {
            let [account, arn, user_id, error_code, error_message, region, request_id] =
                std::array::from_fn(|at| texts[at].clone());
            let verdict = Verdict::ALL[verdict];
            let answer = Answer { verdict, account, arn, user_id, error_code, error_message, region, request_id, attempts };
            let mut known = KnownAnswers::default();
            known.insert([1; 16], &answer);
            known.insert([2; 16], &super::tests::answer(0));
            prop_assert_eq!(known.get(&[1; 16]), Some(answer));
            prop_assert_eq!(known.get(&[3; 16]), None);
        }
    }
}
