//! Page tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logtank_engine::ids::{Epoch, IndexCode, Position};
use logtank_engine::recovery_read::{HINTS_MAX, Place, Progress, TokenKey};
use logtank_engine::time::WallMillis;
use logtank_wire::page::LogPageToken;

use crate::edits::damage;

const KEY: [u8; 32] = [7; 32];
const DAY: Duration = Duration::from_secs(86_400);
const NOW: WallMillis = WallMillis(10_000);

fn token_of(text: Vec<u8>) -> LogPageToken {
    LogPageToken { obsolete_2: Some(text), ..LogPageToken::default() }
}

/// A token is taken only as it was issued, for the index it was issued for.
pub(crate) fn token(data: &[u8]) {
    let key = TokenKey::new(KEY);
    let (code, other) = (IndexCode::new(b"m").expect("good"), IndexCode::new(b"n").expect("good"));
    assert!(key.open(&code, &token_of(data.to_vec()), NOW, DAY).is_err(), "forged");
    let epoch = Epoch::new(5_000).expect("small");
    let progress = Progress {
        issued: WallMillis(9_000),
        end: Position::new(epoch, 100),
        deletion: Position::ZERO,
        from: Position::new(epoch, 7),
        boot: 3,
        place: Place::Anywhere,
    };
    let issued = key.issue(&code, &progress);
    assert_eq!(key.open(&code, &issued, NOW, DAY), Ok(Some(progress)));
    assert!(key.open(&other, &issued, NOW, DAY).is_err(), "another index's");
    let mut text = issued.obsolete_2.clone().expect("the truth is there");
    damage(&mut text, data);
    if Some(&text) != issued.obsolete_2.as_ref() {
        let damaged = LogPageToken { obsolete_2: Some(text), ..issued };
        assert!(key.open(&code, &damaged, NOW, DAY).is_err(), "damaged");
    }
}

/// Any payload with the right signature: what is understood is written the same again.
pub(crate) fn signed_token(data: &[u8]) {
    let (key, code) = (TokenKey::new(KEY), IndexCode::new(b"m").expect("good"));
    let mut signature = blake3::Hasher::new_keyed(&KEY);
    signature.update(&1_u64.to_le_bytes()).update(b"m").update(data);
    let bytes = [data, signature.finalize().as_bytes()].concat();
    let signed = token_of(URL_SAFE_NO_PAD.encode(bytes).into_bytes());
    let Ok(Some(progress)) = key.open(&code, &signed, NOW, Duration::MAX) else { return };
    if matches!(&progress.place, Place::Live(hints) if hints.len() > HINTS_MAX) {
        return;
    }
    let again = key.issue(&code, &progress);
    assert_eq!(key.open(&code, &again, NOW, Duration::MAX), Ok(Some(progress)));
}
