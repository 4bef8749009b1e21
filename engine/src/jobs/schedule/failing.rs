//! Whether dealing fails again and again: once may pass by itself.

/// So many times in a row are to be said.
const TIMES: u32 = 2;

/// How often dealing failed in a row.
#[derive(Debug, Default)]
pub(super) struct Failing(u32);

impl Failing {
    /// It failed. Whether that is to be said now.
    pub(super) fn failed(&mut self) -> bool {
        self.0 = self.0.saturating_add(1);
        self.0 == TIMES
    }

    /// It did not fail. Whether that is to be said.
    pub(super) fn worked(&mut self) -> bool {
        std::mem::take(&mut self.0) >= TIMES
    }
}

#[cfg(test)]
mod tests {
    use super::Failing;

    #[test]
    fn what_fails_twice_in_a_row_is_said_once_and_its_end_too() {
        let mut failing = Failing::default();
        assert!(!failing.failed() && !failing.worked(), "once");
        assert_eq!([(); 3].map(|()| failing.failed()), [false, true, false]);
        assert!(failing.worked() && !failing.worked());
    }
}
