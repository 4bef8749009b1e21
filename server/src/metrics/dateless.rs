//! Requests at a time that HTTP has no date for: hyper formats the date at each poll of a connection, and panics over
//! it even where it is to send none. Then each connection is answered once, here, and closed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The first moment of the year 10000.
const END: Duration = Duration::from_secs(253_402_300_800);
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 100;

/// Whether HTTP has a date for this time.
pub(super) fn has_date(now: SystemTime) -> bool {
    now.duration_since(UNIX_EPOCH).is_ok_and(|since| since < END)
}

/// Answers one request.
///
/// # Errors
/// The connection's.
pub(super) async fn answer_one(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    router: TowerToHyperService<Router>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let response = loop {
        match request(&head) {
            Ok(Some(request)) => {
                let Ok(response) = router.call(request).await;
                break response;
            }
            Ok(None) if head.len() < HEAD_BYTES_MAX => {
                if stream.read_buf(&mut head).await? == 0 {
                    return Ok(());
                }
            }
            Ok(None) => break refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Err(status) => break refusal(status),
        }
    };
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(std::io::Error::other)?;
    let mut answer = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        if name != "content-length" {
            answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
    }
    answer.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).bytes());
    stream.write_all(&answer).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

/// The request that these bytes are the head of; none as long as more of it has to come.
fn request(head: &[u8]) -> Result<Option<Request<Body>>, StatusCode> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let complete = parsed.parse(head).map_err(|_| StatusCode::BAD_REQUEST)?;
    if complete.is_partial() {
        return Ok(None);
    }
    let mut request =
        Request::builder().method(parsed.method.unwrap_or_default()).uri(parsed.path.unwrap_or_default());
    for header in parsed.headers.iter() {
        request = request.header(header.name, header.value);
    }
    request.body(Body::empty()).map(Some).map_err(|_| StatusCode::BAD_REQUEST)
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    #[test]
    fn http_has_dates_from_1970_to_9999() {
        let second = Duration::from_secs(1);
        assert!(has_date(UNIX_EPOCH) && !has_date(UNIX_EPOCH - second));
        assert!(has_date(UNIX_EPOCH + END - second) && !has_date(UNIX_EPOCH + END));
    }

    fn answer_to(pieces: &[&[u8]]) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut client, host) = tokio::io::duplex(1 << 16);
            let router = Router::new().route("/here", get(|| async { "what is here\n" }));
            let answering = answer_one(host, TowerToHyperService::new(router));
            let asking = async {
                for piece in pieces {
                    client.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
                let mut answer = String::new();
                client.read_to_string(&mut answer).await.unwrap();
                answer
            };
            let (_, answer) = tokio::join!(answering, asking);
            answer
        })
    }

    #[test]
    fn a_request_in_pieces_is_answered_by_its_route() {
        let answer = answer_to(&[b"GET /he", b"re HTTP/1.1\r\nHost: me\r", b"\n\r\n"]);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\ncontent-length: 13\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nwhat is here\n"), "{answer}");
        let answer = answer_to(&[b"GET /there HTTP/1.1\r\n\r\n"]);
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    }

    #[test]
    fn what_is_no_request_or_has_no_end_is_refused() {
        let answer = answer_to(&[b"\x16\x03\x01\x02\x00\x01\x00\x01"]);
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        let endless = [b"GET /here HTTP/1.1\r\nLong: ".as_slice(), &[b'a'; HEAD_BYTES_MAX]].concat();
        let answer = answer_to(&[&endless]);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}
