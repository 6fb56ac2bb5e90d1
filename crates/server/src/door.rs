//! What every request meets first: is the host ours, is the origin ours, where does it really come from. And what
//! every answer carries.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use url::Url;

use crate::app::App;
use crate::peer::{Peer, Whence};
use crate::problem::{Outcome, Problem};
use crate::settings::Settings;

/// Puts the door before `router`. The path's prefix is cut off before routes are looked up.
pub(crate) fn before(app: &App, router: Router) -> Router {
    Router::new().fallback_service(router).layer(from_fn_with_state(app.clone(), pass))
}

async fn pass(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let mut secure = false;
    let mut response = match receive(&app, &mut request) {
        Ok(whence) => {
            secure = whence.secure;
            // A fault in one handler is that request's alone.
            match AssertUnwindSafe(next.run(request)).catch_unwind().await {
                Ok(response) => worded(response),
                Err(_) => {
                    tracing::error!("a fault while a request was answered");
                    app.counters().refused("internal");
                    Problem::internal().into_response()
                }
            }
        }
        Err(problem) => {
            app.counters().refused(problem.code());
            problem.into_response()
        }
    };
    protect(response.headers_mut(), secure && app.settings().public_url.is_some());
    response
}

/// The router's own refusal of a method, said like every other.
fn worded(mut response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED || response.extensions().get::<Outcome>().is_some()
    {
        return response;
    }
    let allow = response.headers_mut().remove(header::ALLOW);
    let mut response = Problem::wrong_method().into_response();
    response.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
    response
}

/// Headers that keep a browser from doing harm with an answer. What a route has set itself stays.
fn protect(headers: &mut HeaderMap, strict_transport: bool) {
    const ALWAYS: [(HeaderName, &str); 7] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if strict_transport {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

fn receive(app: &App, request: &mut Request) -> Result<Whence, Problem> {
    let peer = request.extensions().get::<Peer>().cloned().ok_or_else(Problem::internal)?;
    let settings = app.settings();
    strip_prefix(settings.prefix(), request.uri_mut());
    let whence = whence(settings, peer, request.headers());
    match &whence.peer {
        // No browser speaks through it.
        Peer::Unix { .. } => {}
        Peer::Tcp { metrics_only: true, .. } => {
            if !matches!(request.uri().path(), "/metrics" | "/healthz" | "/readyz") {
                return Err(Problem::not_found("page"));
            }
        }
        Peer::Tcp { .. } => judge(settings, &whence, request)?,
    }
    request.extensions_mut().insert(whence.clone());
    request.extensions_mut().insert(app.clone());
    Ok(whence)
}

fn strip_prefix(prefix: &str, uri: &mut Uri) {
    if prefix.is_empty() {
        return;
    }
    let Some(rest) = uri.path_and_query().and_then(|all| all.as_str().strip_prefix(prefix)) else { return };
    let rest = match rest.chars().next() {
        Some('/') => rest.to_owned(),
        Some('?') | None => format!("/{rest}"),
        // Another path that only begins alike.
        Some(_) => return,
    };
    if let Ok(cut) = rest.parse() {
        *uri = cut;
    }
}

/// Where a request comes from. What a proxy says is believed only if it is named as trusted, and of a chain only
/// what trusted proxies have added.
fn whence(settings: &Settings, peer: Peer, headers: &HeaderMap) -> Whence {
    let Peer::Tcp { address, tls, .. } = &peer else {
        return Whence { peer, address: None, secure: false };
    };
    let (mut client, mut secure) = (address.ip().to_canonical(), *tls);
    if settings.trusts(client) {
        if let Some(scheme) = text(headers, "x-forwarded-proto") {
            secure = scheme.rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("https"));
        }
        // Hop by hop: what the caller has put before a proxy's own word does not spoil that.
        let chain = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(hop)
            .collect::<Vec<_>>();
        for hop in chain.into_iter().rev() {
            let Some(hop) = hop else { break };
            client = hop.to_canonical();
            if !settings.trusts(client) {
                break;
            }
        }
    }
    Whence { peer, address: Some(client), secure }
}

/// An address in a chain; some proxies write the port as well.
fn hop(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    address.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Is it asked for under a name of ours, and by a page of ours?
fn judge(settings: &Settings, whence: &Whence, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let trusted = matches!(&whence.peer, Peer::Tcp { address, .. } if settings.trusts(address.ip()));
    let forwarded = trusted.then(|| text(headers, "x-forwarded-host")).flatten();
    let asked = forwarded.or_else(|| text(headers, "host")).map(str::to_owned);
    let asked = asked.or_else(|| request.uri().authority().map(ToString::to_string));
    // One host, one only.
    let host = asked
        .filter(|_| headers.get_all(header::HOST).iter().count() <= 1)
        .and_then(|asked| asked.parse::<Authority>().ok())
        .filter(|host| is_ours(settings, host));
    let Some(host) = host else {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            "Muster is not reached under this name.",
        )
        .remedy("Use the address it was set up with (“--public-url”)."));
    };
    match headers.get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if origin.to_str().is_ok_and(|origin| same_origin(settings, &host, whence, origin)) => {
            Ok(())
        }
        Some(_) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "Pages of other sites may not speak with Muster.",
        )),
    }
}

/// Whether a `Host` names this server. Names of strangers are how a page of theirs would get at a server on the
/// reader's own machine; numbers cannot be bent that way.
fn is_ours(settings: &Settings, host: &Authority) -> bool {
    if host.as_str().contains('@') {
        return false;
    }
    let name = host.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    let number = name.parse::<IpAddr>().ok().map(|number| number.to_canonical());
    if name == "localhost" || number.is_some_and(|number| number.is_loopback()) {
        return true;
    }
    if let Some(url) = &settings.public_url {
        let port = host.port_u16().or(Some(if url.scheme() == "https" { 443 } else { 80 }));
        return host_of(url).as_deref() == Some(name) && port == url.port_or_known_default();
    }
    let by_number = number.is_some_and(|number| {
        settings.listen.iter().any(|own| own.ip().is_unspecified() || own.ip().to_canonical() == number)
    });
    by_number || settings.names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn host_of(url: &Url) -> Option<String> {
    url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase())
}

fn same_origin(settings: &Settings, host: &Authority, whence: &Whence, origin: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let of_public = settings.public_url.as_ref().is_some_and(|url| url.origin() == origin.origin());
    let scheme = if whence.secure { "https" } else { "http" };
    let of_host = Url::parse(&format!("{scheme}://{host}")).is_ok_and(|own| own.origin() == origin.origin());
    origin.origin().is_tuple() && (of_public || of_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(settings: &Settings, host: &str) -> bool {
        is_ours(settings, &host.parse().unwrap())
    }

    fn listening(at: &str) -> Settings {
        Settings { listen: vec![at.parse().unwrap()], names: vec!["box".into()], ..Settings::default() }
    }

    #[test]
    fn knows_its_own_names() {
        let settings = listening("192.0.2.7:8088");
        for host in ["localhost:8088", "127.0.0.1:8088", "[::1]:9000", "192.0.2.7:8088", "BOX:8088", "box."] {
            assert!(ours(&settings, host), "{host}");
        }
        for host in ["evil.example", "192.0.2.8:8088", "localhost.evil.example", "x@localhost", "boxx"] {
            assert!(!ours(&settings, host), "{host}");
        }
        assert!(ours(&listening("0.0.0.0:8088"), "198.51.100.1:8088"));
    }

    #[test]
    fn a_public_url_leaves_only_itself_and_loopback() {
        let settings = Settings {
            public_url: Some("https://muster.example/m".parse().unwrap()),
            ..listening("192.0.2.7:8088")
        };
        assert!(ours(&settings, "muster.example") && ours(&settings, "muster.example:443"));
        assert!(ours(&settings, "127.0.0.1:8088"));
        for host in ["muster.example:8088", "192.0.2.7:8088", "box"] {
            assert!(!ours(&settings, host), "{host}");
        }
    }

    #[test]
    fn believes_a_chain_only_as_far_as_proxies_are_trusted() {
        let settings =
            Settings { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Settings::default() };
        let from_bytes = |peer: &str, chain: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_bytes(chain).unwrap());
            headers.insert("x-forwarded-proto", "https".parse().unwrap());
            let peer = Peer::Tcp { address: peer.parse().unwrap(), tls: false, metrics_only: false };
            let whence = whence(&settings, peer, &headers);
            (whence.address.unwrap().to_string(), whence.secure)
        };
        let from = |peer: &str, chain: &str| from_bytes(peer, chain.as_bytes());
        assert_eq!(from("203.0.113.9:1", "198.51.100.1"), ("203.0.113.9".into(), false), "a forged header");
        assert_eq!(from("10.0.0.1:1", "198.51.100.1"), ("198.51.100.1".into(), true));
        assert_eq!(from("10.0.0.1:1", "127.0.0.1, 198.51.100.1, 10.0.0.2"), ("198.51.100.1".into(), true));
        assert_eq!(from("10.0.0.1:1", "nonsense"), ("10.0.0.1".into(), true));
        // Whoever sends nonsense along does not hide behind the proxy.
        let spoilt = from_bytes("10.0.0.1:1", b"\xff\xfe, 198.51.100.1, 10.0.0.2");
        assert_eq!(spoilt, ("198.51.100.1".into(), true));
        for (hop, address) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(from("10.0.0.1:1", hop), (address.into(), true));
        }
    }

    #[test]
    fn cuts_its_own_prefix_and_no_other() {
        let cut = |path: &str| {
            let mut uri: Uri = path.parse().unwrap();
            strip_prefix("/muster", &mut uri);
            uri.to_string()
        };
        assert_eq!(cut("/muster/api/v1/guests?q=a"), "/api/v1/guests?q=a");
        assert_eq!(cut("/muster"), "/");
        assert_eq!(cut("/musterx/api"), "/musterx/api");
        assert_eq!(cut("/api/v1/guests"), "/api/v1/guests");
    }

    #[test]
    fn an_origin_is_ours_or_not() {
        let settings = listening("127.0.0.1:8088");
        let plain = Whence { peer: Peer::Unix { uid: 0, name: None }, address: None, secure: false };
        let same = |host: &str, origin: &str| same_origin(&settings, &host.parse().unwrap(), &plain, origin);
        assert!(same("127.0.0.1:8088", "http://127.0.0.1:8088"));
        for origin in ["http://127.0.0.1:9000", "https://127.0.0.1:8088", "http://evil.example", "null", ""] {
            assert!(!same("127.0.0.1:8088", origin), "{origin}");
        }
    }
}
