//! Cuts a stream of bytes into messages. The data of a block is read straight to where it stays: its head names its
//! length before it comes. Everything else, and the first bytes of a block, pass through a small buffer. Pure: it asks
//! for reads and is given bytes.

use std::io::{self, IoSliceMut};

use bytes::{Bytes, BytesMut};

use crate::id::Block;
use crate::wire::codec::{Codec, PIECE_HEADER, WireError};
use crate::wire::message::{Message, Payload};

/// Read at a time outside of blocks. Little, because the first bytes of a block that come with it are copied.
const SHORT: usize = 512;
/// The same where many messages come and no block is among them.
const LONG: usize = 16 << 10;

/// One connection's bytes that are no whole message yet.
#[derive(Debug)]
pub(super) struct Cutter {
    codec: Codec,
    /// Read, and not part of `coming`.
    buffer: BytesMut,
    coming: Option<Coming>,
    /// How much to read outside of blocks.
    step: usize,
}

/// A block the rest of which is read to its place.
#[derive(Debug)]
struct Coming {
    block: Block,
    data: Vec<u8>,
    filled: usize,
}

impl Cutter {
    pub(super) fn new(codec: Codec) -> Cutter {
        Cutter { codec, buffer: BytesMut::new(), coming: None, step: SHORT }
    }

    /// Reads once, as `read` does into the slices it is given. To be followed by `cut`.
    pub(super) fn read(
        &mut self,
        read: impl FnOnce(&mut [IoSliceMut<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let Some(coming) = &mut self.coming else {
            let before = self.buffer.len();
            self.buffer.resize(before + self.step, 0);
            let length = read(&mut [IoSliceMut::new(&mut self.buffer[before..])]);
            self.buffer.truncate(before + length.as_ref().map_or(0, |length| *length));
            self.step = if length.as_ref().is_ok_and(|length| *length == self.step) { LONG } else { SHORT };
            return length;
        };
        let mut behind = [0; SHORT];
        let rest = &mut coming.data[coming.filled..];
        let wanted = rest.len();
        let length = read(&mut [IoSliceMut::new(rest), IoSliceMut::new(&mut behind)])?;
        coming.filled += length.min(wanted);
        self.buffer.extend_from_slice(&behind[..length.saturating_sub(wanted)]);
        Ok(length)
    }

    /// Appends the messages that are whole now. After an error the stream is lost; what came before it counts.
    pub(super) fn cut(&mut self, messages: &mut Vec<Message>) -> Result<(), WireError> {
        loop {
            if let Some(coming) = self.coming.take_if(|coming| coming.filled == coming.data.len()) {
                messages.push(whole(coming.block, coming.data.into()));
            }
            if self.coming.is_some() {
                return Ok(());
            }
            if let Some(block) = self.codec.begun_block(&self.buffer)? {
                self.begin(block);
            } else if let Some(message) = self.codec.decode(&mut self.buffer)? {
                messages.push(message);
            } else {
                self.rest();
                return Ok(());
            }
        }
    }

    fn begin(&mut self, block: Block) {
        let _ = self.buffer.split_to(PIECE_HEADER);
        let begun = self.buffer.split_to(self.buffer.len().min(block.length as usize));
        let mut data = vec![0; block.length as usize];
        data[..begun.len()].copy_from_slice(&begun);
        self.step = SHORT;
        self.coming = Some(Coming { block, data, filled: begun.len() });
    }

    /// An idle connection keeps no buffer.
    fn rest(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }
}

fn whole(block: Block, data: Bytes) -> Message {
    Message::Piece { block, payload: Payload::Bytes(data) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PieceIndex;
    use crate::wire::message::BitfieldPayload;
    use proptest::prelude::*;

    const LARGEST: u32 = 20_000;

    fn message((kind, length): (u8, u32)) -> Message {
        let block = Block { piece: PieceIndex(7), begin: 1 << 14, length };
        let data = || (0..length).map(|at| (at ^ length) as u8).collect::<Bytes>();
        match kind {
            0 => Message::KeepAlive,
            1 => Message::Have(PieceIndex(length)),
            2 => Message::Bitfield(BitfieldPayload::Raw(data())),
            3 => Message::Extended { id: 1, payload: data() },
            _ => Message::Piece { block, payload: Payload::Bytes(data()) },
        }
    }

    /// Feeds the bytes in reads of these lengths, as far as the slices have room, and returns what was cut.
    fn cut(bytes: &[u8], steps: &[usize]) -> (Vec<Message>, Result<(), WireError>) {
        let mut cutter = Cutter::new(Codec::new(1_000, LARGEST));
        let (mut rest, mut messages, mut steps) = (bytes, Vec::new(), steps.iter().cycle());
        while !rest.is_empty() {
            let step = *steps.next().unwrap();
            let read = cutter.read(|slices| {
                let mut read = 0;
                for slice in slices {
                    let length = slice.len().min(rest.len()).min(step - read);
                    slice[..length].copy_from_slice(&rest[..length]);
                    rest = &rest[length..];
                    read += length;
                }
                Ok(read)
            });
            assert!(read.unwrap() > 0);
            if let Err(error) = cutter.cut(&mut messages) {
                return (messages, Err(error));
            }
        }
        (messages, Ok(()))
    }

    proptest! {
        #[test]
        fn however_the_bytes_come_the_messages_are_those_that_were_sent(
            messages in prop::collection::vec((0..8u8, 0..=LARGEST), 0..12),
            steps in prop::collection::vec(1..40_000usize, 1..20),
        ) {
            let mut bytes = BytesMut::new();
            let messages: Vec<Message> = messages.into_iter().map(message).collect();
            messages.iter().for_each(|message| Codec::new(1_000, LARGEST).encode(message, &mut bytes));
            prop_assert_eq!(cut(&bytes, &steps), (messages, Ok(())));
        }

        #[test]
        fn nonsense_is_what_the_codec_says_it_is(
            bytes in prop::collection::vec(prop_oneof![0..3u8, 5..9u8, any::<u8>()], 0..400),
            steps in prop::collection::vec(1..60usize, 1..20),
        ) {
            let codec = Codec::new(1_000, LARGEST);
            let (mut buffer, mut expected) = (BytesMut::from(&bytes[..]), Vec::new());
            let end = loop {
                match codec.decode(&mut buffer) {
                    Ok(Some(message)) => expected.push(message),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            prop_assert_eq!(cut(&bytes, &steps), (expected, end));
        }
    }

    #[test]
    fn a_whole_block_is_where_it_was_read_to_and_nothing_is_kept_for_the_next() {
        let mut cutter = Cutter::new(Codec::new(10, 1 << 14));
        let mut bytes = BytesMut::new();
        cutter.codec.encode(&message((4, 1 << 14)), &mut bytes);
        let mut read = |bytes: &[u8]| {
            let whole = cutter.read(|slices| {
                slices[0][..bytes.len()].copy_from_slice(bytes);
                Ok(bytes.len())
            });
            let mut messages = Vec::new();
            cutter.cut(&mut messages).unwrap();
            (whole.unwrap(), messages)
        };
        assert_eq!(read(&bytes[..100]), (100, vec![]));
        assert_eq!(read(&bytes[100..]), (bytes.len() - 100, vec![message((4, 1 << 14))]));
        assert_eq!((cutter.buffer.capacity(), cutter.coming.is_none()), (0, true));
    }
}
