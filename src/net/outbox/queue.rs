//! Encoded messages in the order in which they go out: blocks where they lie in memory, everything else in small buffers
//! between them. Pure: it is asked for slices, and told how much of them is written.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::wire::codec::Codec;
use crate::wire::message::{Message, Payload};

/// Slices that are offered at a time: eight blocks and their headers are more than most sockets take at once.
const SLICES: usize = 64;

/// Bytes to write, first to last.
#[derive(Debug, Default)]
pub(super) struct Queue {
    parts: VecDeque<Part>,
    /// What comes after the parts: messages that are no blocks, and the head of the next block.
    tail: BytesMut,
    /// Bytes of blocks among the parts.
    payload: usize,
    /// All other bytes, the tail's included.
    control: usize,
}

#[derive(Debug)]
enum Part {
    Block(Bytes),
    Control(Bytes),
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.payload + self.control == 0
    }

    /// Bytes of blocks.
    pub(super) fn payload(&self) -> usize {
        self.payload
    }

    /// Bytes of everything else.
    pub(super) fn control(&self) -> usize {
        self.control
    }

    pub(super) fn push(&mut self, codec: Codec, message: &Message) {
        let before = self.tail.len();
        if let Message::Piece { block, payload: Payload::Bytes(data) } = message {
            self.tail.extend_from_slice(&codec.encode_piece_header(*block));
            self.control += self.tail.len() - before;
            self.parts.push_back(Part::Control(self.tail.split().freeze()));
            self.payload += data.len();
            self.parts.push_back(Part::Block(data.clone()));
        } else {
            codec.encode(message, &mut self.tail);
            self.control += self.tail.len() - before;
        }
    }

    /// Calls `write` with the first of what there is.
    pub(super) fn with_slices<T>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> T) -> T {
        let parts = self.parts.iter().map(|part| match part {
            Part::Block(bytes) | Part::Control(bytes) => &bytes[..],
        });
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(parts.chain([&self.tail[..]])) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        write(&slices[..count])
    }

    /// So many bytes are written: they are gone. Returns how many of them were of blocks.
    pub(super) fn advance(&mut self, mut written: usize) -> usize {
        let payload = self.payload;
        while written > 0 {
            let Some(part) = self.parts.front_mut() else {
                self.tail.advance(written);
                self.control -= written;
                break;
            };
            let (bytes, count) = match part {
                Part::Block(bytes) => (bytes, &mut self.payload),
                Part::Control(bytes) => (bytes, &mut self.control),
            };
            let step = written.min(bytes.len());
            bytes.advance(step);
            *count -= step;
            written -= step;
            if bytes.is_empty() {
                self.parts.pop_front();
            }
        }
        self.release();
        payload - self.payload
    }

    /// An idle connection keeps no memory.
    fn release(&mut self) {
        if self.is_empty() {
            self.parts = VecDeque::new();
            self.tail = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Block, PieceIndex};
    use proptest::prelude::*;

    fn message((kind, length): (u8, u32)) -> Message {
        let block = Block { piece: PieceIndex(3), begin: 0, length };
        match kind {
            0 => Message::Have(PieceIndex(length)),
            1 => Message::Request(block),
            _ => {
                let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
                Message::Piece { block, payload: Payload::Bytes(data.into()) }
            }
        }
    }

    proptest! {
        #[test]
        fn however_it_is_written_the_bytes_are_those_of_the_messages(
            messages in prop::collection::vec((0..4u8, 1..200u32), 0..60),
            steps in prop::collection::vec(1..400usize, 1..40),
        ) {
            let codec = Codec::new(1_000, 1 << 14);
            let (mut queue, mut expected, mut written) = (Queue::default(), BytesMut::new(), Vec::new());
            let (mut blocks, mut blocks_written) = (0, 0);
            let mut steps = steps.into_iter().cycle();
            for message in messages.into_iter().map(message) {
                codec.encode(&message, &mut expected);
                blocks += if let Message::Piece { payload, .. } = &message { payload.length() } else { 0 };
                queue.push(codec, &message);
                let step = steps.next().unwrap();
                let taken = queue.with_slices(|slices| {
                    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                    bytes[..step.min(bytes.len())].to_vec()
                });
                blocks_written += queue.advance(taken.len());
                written.extend(taken);
                prop_assert_eq!(queue.payload(), blocks - blocks_written);
                prop_assert_eq!(queue.payload() + queue.control(), expected.len() - written.len());
            }
            while !queue.is_empty() {
                let taken = queue.with_slices(|slices| slices[0].to_vec());
                blocks_written += queue.advance(taken.len());
                written.extend(taken);
            }
            prop_assert_eq!(&written[..], &expected[..]);
            prop_assert_eq!(blocks_written, blocks);
        }
    }
}
