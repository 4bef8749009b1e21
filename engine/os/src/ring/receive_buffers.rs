//! Buffers that the kernel receives into: one pool for all connections, so that idle ones cost none.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// The only group of buffers on a ring.
pub(super) const GROUP: u16 = 0;

/// A buffer that the kernel filled; given back with [`ReceiveBuffers::give`].
#[derive(Debug)]
pub(super) struct Filled {
    id: u16,
    len: usize,
}

impl Filled {
    /// No buffer: stands for the end of what a connection sends, where that has to wait for its turn.
    pub(super) const END: Self = Self { id: u16::MAX, len: 0 };

    pub(super) const fn is_end(&self) -> bool {
        self.id == u16::MAX
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

/// Anonymous pages.
#[derive(Debug)]
struct Pages {
    begin: NonNull<u8>,
    bytes: usize,
}

impl Pages {
    fn new(bytes: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: new pages at an address of the kernel's choice touch no memory in use.
        let begin = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, access, MapFlags::PRIVATE) }?;
        Ok(Self { begin: NonNull::new(begin.cast()).expect("a mapping is not at zero"), bytes })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return; // leaked
        }
        // SAFETY: they were mapped with this length, and nothing refers to them any more.
        let result = unsafe { munmap(self.begin.as_ptr().cast(), self.bytes) };
        debug_assert!(result.is_ok(), "munmap: {result:?}");
    }
}

/// A ring of buffers shared with the kernel: it takes from the head, we put back at the tail.
#[derive(Debug)]
pub(super) struct ReceiveBuffers {
    ring: Pages,
    memory: Pages,
    buffer_bytes: usize,
    count: u16,
    /// Our copy of the tail; entries before it are the kernel's once it is published.
    tail: u16,
    /// Buffers that the kernel has filled and we have not put back.
    out: u16,
}

impl ReceiveBuffers {
    /// Allocates `count` buffers and registers them, all free.
    pub(super) fn new(submitter: &Submitter<'_>, count: u16, buffer_bytes: usize) -> io::Result<Self> {
        if !count.is_power_of_two() || count > 1 << 15 || buffer_bytes == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "receive buffers: a power of two up to 32,768, not empty",
            ));
        }
        let ring = Pages::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let memory = Pages::new(usize::from(count) * buffer_bytes)?;
        let address = ring.begin.as_ptr().addr() as u64;
        // SAFETY: the pages hold `count` entries and are unmapped only when the driver knows that the ring is done with
        // them (see its drop).
        unsafe { submitter.register_buf_ring_with_flags(address, count, GROUP, 0) }?;
        let mut buffers = Self { ring, memory, buffer_bytes, count, tail: 0, out: count };
        for id in 0..count {
            buffers.give(Filled { id, len: 0 });
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The kernel filled buffer `id` with `len` bytes.
    ///
    /// # Panics
    /// If it claims more than there is.
    pub(super) fn filled(&mut self, id: u16, len: usize) -> Filled {
        assert!(
            id < self.count && len <= self.buffer_bytes && self.out < self.count,
            "a buffer that the kernel did not have"
        );
        self.out += 1;
        Filled { id, len }
    }

    /// What is in it.
    pub(super) fn bytes<'b>(&'b self, filled: &'b Filled) -> &'b [u8] {
        // SAFETY: the place lies in the mapping, since the id is below the count.
        let begin = unsafe { self.memory.begin.add(usize::from(filled.id) * self.buffer_bytes) };
        // SAFETY: `len` bytes from there lie in the mapping, were written by the kernel (or are zero), and it writes there no
        // more until the buffer, which is borrowed here, is given back.
        unsafe { std::slice::from_raw_parts(begin.as_ptr(), filled.len) }
    }

    /// Puts a buffer back; the kernel sees it with the next [`Self::publish`].
    pub(super) fn give(&mut self, filled: Filled) {
        let place = usize::from(self.tail & (self.count - 1));
        // SAFETY: the mapping holds `count` entries, and the place is below that.
        let entry = unsafe { self.ring.begin.cast::<BufRingEntry>().add(place) };
        // SAFETY: entries from the tail on are ours until the tail is published. (The first entry holds the tail itself in
        // a field that these setters leave alone.)
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(
            (self.memory.begin.as_ptr().addr() + usize::from(filled.id) * self.buffer_bytes) as u64,
        );
        entry.set_len(u32::try_from(self.buffer_bytes).expect("buffers are shorter than 4 GiB"));
        entry.set_bid(filled.id);
        self.tail = self.tail.wrapping_add(1);
        self.out -= 1;
    }

    /// Lets the kernel have what was put back.
    pub(super) fn publish(&mut self) {
        // SAFETY: the pointer is the address of the first entry.
        let tail = unsafe { BufRingEntry::tail(self.ring.begin.as_ptr().cast()) };
        // SAFETY: it is aligned, lives as long as the mapping, and is changed by us alone, through this atomic.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Keeps the memory for ever, because the kernel may still write to it.
    pub(super) const fn leak(&mut self) {
        self.ring.bytes = 0;
        self.memory.bytes = 0;
    }

    /// Whether the kernel has any buffer to receive into.
    pub(super) const fn any_free(&self) -> bool {
        self.out < self.count
    }
}
