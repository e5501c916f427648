//! Memory that will be needed soon, asked for before it is: a hint to the processor's caches, which changes no value and
//! reads nothing. On a processor without such a hint it does nothing.
//!
//! A simulated swarm of thousands lies in no cache. Its next events are known, so what they will touch can be on its way
//! while the present one happens.

use std::slice;

use prefetch_index::prefetch_index;

/// Bytes that come together.
pub const LINE: usize = 64;

/// The line in which this value begins.
#[inline(always)]
pub fn one<T>(value: &T) {
    prefetch_index(slice::from_ref(value), 0);
}

/// The line in which the value at `index` begins. Where there is none it is some other line, and nobody notices.
#[inline(always)]
pub fn at<T>(values: &[T], index: usize) {
    prefetch_index(values, index);
}

/// Every line of something that begins with `first` and takes so many bytes.
#[inline]
pub fn from(first: &u32, bytes: usize) {
    for line in 0..=bytes / LINE {
        prefetch_index(slice::from_ref(first), line * (LINE / size_of::<u32>()));
    }
}

/// Every line of these.
#[inline]
pub fn all<T>(values: &[T]) {
    for index in (0..values.len()).step_by((LINE / size_of::<T>().max(1)).max(1)) {
        prefetch_index(values, index);
    }
}
