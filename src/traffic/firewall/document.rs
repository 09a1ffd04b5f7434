//! Records held together by brackets: `{"records":[…]}`, an array, or objects over many lines.
//!
//! Flow logs come in the same brackets, so the same reader cuts them.

use std::io::Read;

use super::fields::Fields;
use super::object::read_object;
use super::reader::{Output, Place};
use super::usual_object::UsualObjects;
use crate::traffic::Damage;
use crate::traffic::flowlog::{FlowLogChunk, FlowLogReader, Unit};

/// Reads the records of a document.
pub(super) struct Document {
    reader: FlowLogReader,
    chunk: FlowLogChunk,
    next: usize,
    usual: UsualObjects,
}

impl Document {
    const CHUNK_BYTES: usize = 256 << 10;

    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            reader: FlowLogReader::new(input),
            chunk: FlowLogChunk::default(),
            next: 0,
            usual: UsualObjects::new(),
        }
    }

    /// Reads one record; false at the end.
    pub(super) fn next(&mut self, output: &mut Output<'_>) -> bool {
        if self.next == self.chunk.units().len() {
            if !self.reader.fill(&mut self.chunk, Self::CHUNK_BYTES) {
                self.next = self.chunk.units().len();
                return false;
            }
            self.next = 0;
        }
        let unit = &self.chunk.units()[self.next];
        self.next += 1;
        match unit {
            Unit::Damage { damage, offset, detail } => {
                output.damage(*damage, *offset, || detail.clone());
            }
            Unit::Record(unit) => match &unit.cut {
                Some(cut) => output.damage(cut.damage, unit.offset, || cut.detail.clone()),
                None => {
                    let bytes = self.chunk.bytes_of(unit);
                    read_record(bytes, unit.offset, &mut self.usual, output);
                }
            },
        }
        true
    }
}

fn read_record(bytes: &[u8], offset: u64, usual: &mut UsualObjects, output: &mut Output<'_>) {
    let place = Place { offset, line: None, is_cut: false };
    let mut fields = Fields::default();
    if usual.read(bytes, &mut fields) == Some(bytes.len()) {
        return output.row(&fields, place);
    }
    let mut fields = Fields::default();
    match read_object(bytes, &mut fields) {
        Ok(()) => output.row(&fields, place),
        Err(error) => {
            output.damage(Damage::MalformedRecord, offset, || format!("{error} of the record"));
        }
    }
}
