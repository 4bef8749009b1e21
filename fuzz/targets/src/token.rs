//! Page tokens.

use std::time::Duration;

use logtank_engine::ids::{Epoch, IndexCode, Position};
use logtank_engine::recovery_read::token::{Place, Progress, TokenKey};
use logtank_engine::time::WallMillis;
use logtank_wire::page::LogPageToken;

use crate::edits::damage;

/// A token is taken only as it was issued, for the index it was issued for.
pub(crate) fn token(data: &[u8]) {
    let (key, day) = (TokenKey::new([7; 32]), Duration::from_secs(86_400));
    let (code, other) = (IndexCode::new(b"m").expect("good"), IndexCode::new(b"n").expect("good"));
    let now = WallMillis(10_000);
    let forged = LogPageToken { obsolete_2: Some(data.to_vec()), ..LogPageToken::default() };
    assert!(key.open(&code, &forged, now, day).is_err(), "forged");
    let epoch = Epoch::new(5_000).expect("small");
    let progress = Progress {
        issued: WallMillis(9_000),
        end: Position::new(epoch, 100),
        deletion: Position::ZERO,
        from: Position::new(epoch, 7),
        place: Place::Anywhere,
    };
    let issued = key.issue(&code, &progress);
    assert_eq!(key.open(&code, &issued, now, day), Ok(Some(progress)));
    assert!(key.open(&other, &issued, now, day).is_err(), "another index's");
    let mut text = issued.obsolete_2.clone().expect("the truth is there");
    damage(&mut text, data);
    if Some(&text) != issued.obsolete_2.as_ref() {
        let damaged = LogPageToken { obsolete_2: Some(text), ..issued };
        assert!(key.open(&code, &damaged, now, day).is_err(), "damaged");
    }
}
