//! Rows that may come in several pieces: a list and a `show`, an identifier and the whole.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::error::ResourceFileError;
use super::fields::{Field, Fields};
use super::node::Node;

/// A row, which of its fields an export told, and in which file it stood first.
#[derive(Debug)]
pub(super) struct Draft<T> {
    pub(super) row: T,
    /// Bit `i` is for `T::FIELDS[i]`.
    told: u32,
    pub(super) file_index: usize,
    conflict: Option<Conflict>,
}

/// The first field that two files tell differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conflict {
    pub(super) field: &'static str,
    pub(super) first_file: usize,
    pub(super) second_file: usize,
}

/// The rows of one kind, in the order in which they were named first.
#[derive(Debug)]
pub(super) struct Drafts<K, T> {
    rows: Vec<Draft<T>>,
    by_key: HashMap<K, usize>,
}

impl<T: Fields> Draft<T> {
    pub(super) fn read(node: &Node<'_>, file_index: usize) -> Result<Self, ResourceFileError> {
        if !node.is_object() {
            return Err(node.shape("an object"));
        }
        let mut row = T::bare();
        let mut told = 0;
        for (index, field) in T::FIELDS.iter().enumerate() {
            told |= u32::from((field.read)(node, &mut row)?) << index;
        }
        Ok(Self { row, told, file_index, conflict: None })
    }

    /// Takes what another export of the same resource tells: what both tell is kept from the one
    /// that tells more, and from this one where they tell as much.
    fn combine(&mut self, mut other: Self) {
        if self.conflict.is_none() && self.file_index != other.file_index {
            self.conflict = self.conflict_with(&other);
        }
        if other.told.count_ones() > self.told.count_ones() {
            std::mem::swap(&mut self.row, &mut other.row);
            std::mem::swap(&mut self.told, &mut other.told);
        }
        for (index, field) in T::FIELDS.iter().enumerate() {
            if other.told & !self.told & (1 << index) != 0 {
                (field.swap)(&mut self.row, &mut other.row);
            }
        }
        self.told |= other.told;
    }

    /// Finds a field that both tell and that differs. Names and regions are written in many ways.
    fn conflict_with(&self, other: &Self) -> Option<Conflict> {
        let both = self.told & other.told;
        let fields = T::FIELDS.iter().enumerate().filter(|(index, _)| both >> index & 1 == 1);
        let differs = |field: &&Field<T>| {
            !field.name.starts_with("header")
                && field.name != "name"
                && !(field.is_same)(&self.row, &other.row)
        };
        fields.map(|(_, field)| field).find(differs).map(|field| Conflict {
            field: field.name,
            first_file: self.file_index,
            second_file: other.file_index,
        })
    }
}

impl<K: Eq + Hash, T: Fields> Drafts<K, T> {
    /// Adds a row, or what more it tells of one that is there; a row without a key is always new.
    /// Returns its index.
    pub(super) fn add(&mut self, key: Option<K>, draft: Draft<T>) -> usize {
        let next = self.rows.len();
        match key.map(|key| self.by_key.entry(key)) {
            Some(Entry::Occupied(known)) => {
                let index = *known.get();
                self.rows[index].combine(draft);
                return index;
            }
            Some(Entry::Vacant(free)) => {
                free.insert(next);
            }
            None => {}
        }
        self.rows.push(draft);
        next
    }

    /// Returns the index of a row that may come later.
    pub(super) fn index_of(&mut self, key: K, file_index: usize) -> usize {
        self.add(Some(key), Draft { row: T::bare(), told: 0, file_index, conflict: None })
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Draft<T> {
        &mut self.rows[index]
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Draft<T>> {
        self.rows.iter_mut()
    }

    /// Returns the rows that some export told anything of.
    pub(super) fn into_rows(self) -> Vec<T> {
        self.rows.into_iter().filter(|draft| draft.told != 0).map(|draft| draft.row).collect()
    }
}

impl<K: Eq + Hash, T> Drafts<K, T> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the keys of rows that two files tell differently, in the order of the rows.
    pub(super) fn conflicts(&self) -> Vec<(&K, Conflict)> {
        let mut conflicts: Vec<(usize, &K, Conflict)> = self
            .by_key
            .iter()
            .filter_map(|(key, &index)| Some((index, key, self.rows[index].conflict?)))
            .collect();
        conflicts.sort_by_key(|(index, ..)| *index);
        conflicts.into_iter().map(|(_, key, conflict)| (key, conflict)).collect()
    }

    /// Returns the key of a row.
    pub(super) fn key_of(&self, index: usize) -> Option<&K> {
        self.by_key.iter().find(|(_, at)| **at == index).map(|(key, _)| key)
    }

    /// Returns each row with its key.
    pub(super) fn into_keyed(self) -> impl Iterator<Item = (Option<K>, Draft<T>)> {
        let mut keys: Vec<Option<K>> = self.rows.iter().map(|_| None).collect();
        for (key, index) in self.by_key {
            keys[index] = Some(key);
        }
        keys.into_iter().zip(self.rows)
    }
}

impl<T> Draft<T> {
    pub(super) fn is_told(&self) -> bool {
        self.told != 0
    }
}

impl<K, T> Default for Drafts<K, T> {
    fn default() -> Self {
        Self { rows: Vec::new(), by_key: HashMap::new() }
    }
}
