//! The library against machines made of folders, and, as root, against a real loop device.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod fake;
mod identity;
mod inspecting;
mod loop_device;
mod package;
mod shipped;
