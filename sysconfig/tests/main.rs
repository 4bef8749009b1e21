//! The library against machines made of folders, and, as root, against a real loop device.

mod fake;
mod inspecting;
mod loop_device;
mod shipped;
