use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::header;
use axum::response::IntoResponse;

use super::history::{History, STEP};
use super::snapshot::Sources;
use super::survey::{Survey, good_for, survey};

const HTML: &str = include_str!("page.html");
/// The page carries its style and script, asks only its own host, and is framed by nobody.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The page and what it remembers. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Page(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sources: Sources,
    history: Mutex<History>,
    survey: Mutex<Surveyed>,
}

#[derive(Debug, Default)]
struct Surveyed {
    found: Option<(Instant, Survey)>,
    running: bool,
}

impl Page {
    pub(crate) fn new(sources: Sources) -> Self {
        Self(Arc::new(Shared { sources, history: Mutex::default(), survey: Mutex::default() }))
    }

    /// Samples every ten seconds, for ever.
    pub(crate) async fn keep_history(self) {
        let mut ticks = tokio::time::interval(STEP);
        let mut before = Instant::now();
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let step = self.history().sample(self.0.sources.shards(), now.saturating_duration_since(before));
            before = now;
            let Some(step) = step else { continue };
            for (what, latency) in [
                ("append (the slowest of ten seconds)", step.append),
                ("fdatasync (the slowest of ten seconds)", step.sync),
            ] {
                if let Some([_, _, most]) = latency {
                    self.0.sources.host.slowest.note(what, Duration::from_secs_f64(most / 1e3), now);
                }
            }
        }
    }

    pub(crate) fn html(&self) -> impl IntoResponse + use<> {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        // In the page from the start, so that it is complete when it is shown. `<` can't stand in a script.
        let data = self.json().replace('<', "\\u003c");
        (headers, HTML.replace("\"LOGTANK_STATUS\"", &data))
    }

    pub(crate) fn status(&self) -> impl IntoResponse + use<> {
        ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], self.json())
    }

    fn json(&self) -> String {
        self.refresh_survey();
        let survey = self.surveyed().found.as_ref().map(|(_, survey)| survey.clone());
        let steps = self.history().steps();
        self.0.sources.snapshot(&steps, survey.as_ref(), Instant::now()).to_string()
    }

    /// Has the folders walked on a thread of their own, if that is long ago. The page shows what was found before.
    fn refresh_survey(&self) {
        let mut surveyed = self.surveyed();
        let fresh = surveyed.found.as_ref().is_some_and(|(at, found)| at.elapsed() < good_for(found));
        if fresh || surveyed.running {
            return;
        }
        surveyed.running = true;
        drop(surveyed);
        let page = self.clone();
        let walk = move || {
            // A host that can't lower the rank walks all the same.
            let _ = logtank_os::priority::set_io_priority(logtank_os::priority::IoPriority::Idle);
            let _ = logtank_os::priority::set_nice(19);
            let found = survey(&page.0.sources.layout);
            let mut surveyed = page.surveyed();
            surveyed.found = Some((Instant::now(), found));
            surveyed.running = false;
        };
        if std::thread::Builder::new().name("survey".to_owned()).spawn(walk).is_err() {
            self.surveyed().running = false;
        }
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.0.history.lock().expect("nobody panics while holding it")
    }

    fn surveyed(&self) -> std::sync::MutexGuard<'_, Surveyed> {
        self.0.survey.lock().expect("nobody panics while holding it")
    }
}
