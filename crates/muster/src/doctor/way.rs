//! The steps up to being signed in: address, DNS, TCP, TLS, certificate, HTTP, Proxmox VE, sign-in.

use std::io::ErrorKind as ErrorKindIo;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pve::address::Address;
use pve::trust::{self, Certificate};
use pve::{Client, Credential, Endpoint, Error, ErrorKind, Phase, Timings, TrustPolicy};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Step, Steps, Verdict};
use crate::open::sign_in::sign_in;
use crate::open::trust::{Beliefs, Grounds, decide, facts};
use crate::secrets::Means;
use crate::term::ask::Ask;
use crate::term::text::moment;
use crate::trouble::{exit_of, failure_of_error};

/// Ids and names of the steps of this module, in order.
pub(super) const STEPS: [(&str, &str); 8] = [
    ("address", "address"),
    ("dns", "DNS"),
    ("tcp", "TCP"),
    ("tls", "TLS"),
    ("certificate", "certificate"),
    ("http", "HTTP"),
    ("proxmox", "is it Proxmox VE"),
    ("sign_in", "sign-in"),
];

/// A certificate that ends within this time is worth a note.
const ENDS_SOON: Duration = Duration::from_secs(14 * 86_400);

/// Signed in.
pub(super) struct Arrived {
    pub(super) client: Client,
}

/// Not signed in.
pub(super) struct Stopped {
    /// The address, as far as it was understood.
    pub(super) address: String,
    /// Why the other steps are not tried.
    pub(super) why: String,
}

/// A failed step for an error of the client.
pub(super) fn failed(id: &'static str, name: impl Into<String>, error: &Error) -> Step {
    let cause = fleet::errors::cause(error);
    let said = error.to_string();
    // The endpoint stands above all steps; each need not repeat it.
    let said = said.strip_prefix(&format!("{}: ", error.endpoint())).unwrap_or(&said).to_owned();
    let attempts = error.attempts().iter().map(|a| format!("{}: {}", a.address, a.outcome));
    let mut step = Step::new(id, name, Verdict::Failed, said).remedy(cause.remedy()).detail(attempts);
    step.cause = Some(cause.code());
    step.exit = exit_of(&cause);
    step
}

/// Goes the way, noting each step.
pub(super) async fn signed_in(
    text: &str,
    beliefs: &Beliefs,
    means: &Means,
    ask: &mut dyn Ask,
    timings: &Timings,
    steps: &mut Steps<'_>,
) -> Result<Arrived, Stopped> {
    let address = address(text, steps)?;
    let stop = |why: &str| Stopped { address: address.to_string(), why: why.to_owned() };

    let found = dns(&address, timings, steps).await.ok_or_else(|| stop("the name does not resolve"))?;
    tcp(&address, &found, timings, steps).await.ok_or_else(|| stop("no connection"))?;

    let began = Instant::now();
    let presented = match trust::probe(&address, timings).await {
        Ok(presented) => presented,
        Err(error) => {
            // The connection may go between two steps: then it is TCP after all that failed here.
            steps.add(failed("tls", "TLS", &error).took(began.elapsed()));
            return Err(stop("the TLS handshake failed"));
        }
    };
    let shown = presented.leaf().map(facts).unwrap_or_default();
    steps.add(
        Step::new("tls", "TLS", Verdict::Ok, "the handshake is done").took(began.elapsed()).detail(shown),
    );
    let trust = certificate(&address, &presented, beliefs, ask, steps)
        .ok_or_else(|| stop("the certificate is not trusted"))?;

    let endpoint = Endpoint { address: address.clone(), trust };
    let connect = |credential: Credential| Client::new(endpoint.clone(), credential, timings.clone());
    // The list of realms is open to everyone: nothing secret is sent for it.
    let lobby = connect(Credential::password("", ""));
    proxmox(&lobby, steps).await.ok_or_else(|| stop("it is not a Proxmox VE that can be talked to"))?;

    if means.token.is_none() && means.user.is_none() && !ask.present() {
        steps.add(Step::not_tried("sign_in", "sign-in", "no credential was given").remedy(
            "Give --token-file FILE, or --user USER@REALM with --password-file FILE, to have the rest tried.",
        ));
        return Err(stop("not signed in"));
    }
    // The time a person takes to type says nothing about the host.
    let typed = means.token.is_none() && (means.user.is_none() || means.password.is_none());
    let began = Instant::now();
    let outcome = sign_in(&address.to_string(), &lobby, &connect, means, ask).await;
    ask.judged();
    match outcome {
        Ok((credential, client)) => {
            let how = if credential.is_token() { "token" } else { "password" };
            let found = format!("as {} ({how})", credential.authid());
            let step = Step::new("sign_in", "sign-in", Verdict::Ok, found);
            steps.add(if typed { step } else { step.took(began.elapsed()) });
            Ok(Arrived { client })
        }
        Err(failure) => {
            let prefix = format!("{address}: ");
            let said = failure.sentence.strip_prefix(&prefix).unwrap_or(&failure.sentence);
            let mut step = Step::new("sign_in", "sign-in", Verdict::Failed, said).took(began.elapsed());
            step.exit = failure.exit;
            step.remedy = failure.hint;
            step.cause = failure.cause;
            steps.add(step);
            Err(stop("not signed in"))
        }
    }
}

fn address(text: &str, steps: &mut Steps<'_>) -> Result<Address, Stopped> {
    match Address::read(text) {
        Ok(spelling) => {
            let found = spelling.address.to_string();
            let step = if spelling.plain_http {
                Step::new("address", "address", Verdict::Warning, found).remedy(
                    "The address says http://; Proxmox VE speaks HTTPS only, so that is what is tried.",
                )
            } else {
                Step::new("address", "address", Verdict::Ok, found)
            };
            steps.add(step);
            Ok(spelling.address)
        }
        Err(error) => {
            let mut step = Step::new("address", "address", Verdict::Failed, error.to_string());
            step.exit = crate::exit::Exit::Usage;
            steps.add(step);
            Err(Stopped { address: text.trim().to_owned(), why: "no address".to_owned() })
        }
    }
}

async fn dns(address: &Address, timings: &Timings, steps: &mut Steps<'_>) -> Option<Vec<SocketAddr>> {
    let error = |text: String| Error::new(ErrorKind::Dns { text }, Phase::Resolve, address.to_string());
    let began = Instant::now();
    let looked_up =
        timeout(timings.resolve, tokio::net::lookup_host((address.dial_host(), address.port))).await;
    let found = match looked_up {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(e)) => {
            steps.add(failed("dns", "DNS", &error(e.to_string())).took(began.elapsed()));
            return None;
        }
        Err(_) => {
            let text = format!("no answer from the resolver within {} s", timings.resolve.as_secs_f64());
            steps.add(failed("dns", "DNS", &error(text)).took(began.elapsed()));
            return None;
        }
    };
    if found.is_empty() {
        steps.add(failed("dns", "DNS", &error("the name has no address".to_owned())).took(began.elapsed()));
        return None;
    }
    let text = if address.host.ip().is_some() {
        "an IP address, nothing to resolve".to_owned()
    } else {
        found.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", ")
    };
    steps.add(Step::new("dns", "DNS", Verdict::Ok, text).took(began.elapsed()));
    Some(found)
}

fn answered(peer: SocketAddr, attempts: Vec<String>, began: Instant, steps: &mut Steps<'_>) -> SocketAddr {
    let step = Step::new("tcp", "TCP", Verdict::Ok, format!("{peer} answers"));
    steps.add(step.took(began.elapsed()).detail(attempts));
    peer
}

async fn tcp(
    address: &Address,
    found: &[SocketAddr],
    timings: &Timings,
    steps: &mut Steps<'_>,
) -> Option<SocketAddr> {
    let began = Instant::now();
    let mut attempts = Vec::new();
    let mut last = None;
    for peer in found {
        let kind = match timeout(timings.connect, TcpStream::connect(peer)).await {
            // A reset comes from someone who had taken the connection: what he minds shows in the next step.
            Ok(Err(e)) if e.kind() == ErrorKindIo::ConnectionReset => {
                return Some(answered(*peer, attempts, began, steps));
            }
            Ok(Ok(_)) => return Some(answered(*peer, attempts, began, steps)),
            Ok(Err(e)) if e.kind() == ErrorKindIo::ConnectionRefused => ErrorKind::Refused,
            Ok(Err(e)) => ErrorKind::Unreachable { text: e.to_string() },
            Err(_) => ErrorKind::ConnectTimeout { after: timings.connect },
        };
        let error = Error::new(kind, Phase::Connect, address.to_string());
        if found.len() > 1 {
            attempts
                .push(format!("{peer}: {}", error.to_string().trim_start_matches(&format!("{address}: "))));
        }
        last = Some(error);
    }
    let error = last?;
    steps.add(failed("tcp", "TCP", &error).took(began.elapsed()).detail(attempts));
    None
}

fn certificate(
    address: &Address,
    presented: &trust::Presented,
    beliefs: &Beliefs,
    ask: &mut dyn Ask,
    steps: &mut Steps<'_>,
) -> Option<TrustPolicy> {
    match decide(&address.to_string(), presented, beliefs, ask) {
        Ok((policy, grounds)) => {
            let found = match grounds {
                Grounds::System => "trusted by this system's store",
                Grounds::Fingerprint => "it is the one given with --fingerprint",
                Grounds::AcceptedNew => "accepted as it is shown (--accept-new)",
                Grounds::Confirmed => "confirmed",
            };
            let step = Step::new("certificate", "certificate", Verdict::Ok, found);
            steps.add(match presented.leaf().and_then(ending) {
                Some(note) => Step { verdict: Verdict::Warning, ..step }.remedy(note),
                None => step,
            });
            Some(policy)
        }
        Err(failure) => {
            let mut step = Step::new("certificate", "certificate", Verdict::Failed, failure.sentence);
            step.exit = failure.exit;
            step.remedy = failure.hint;
            step.cause = Some(if beliefs.fingerprints.is_empty() {
                "untrusted_certificate"
            } else {
                "certificate_changed"
            });
            steps.add(step);
            None
        }
    }
}

/// A word about a certificate that has ended or soon will.
fn ending(certificate: &Certificate) -> Option<String> {
    let left = certificate.not_after.duration_since(Timestamp::now());
    if left.is_negative() {
        Some(format!("It ended on {}: renew it (pvecm updatecerts).", moment(certificate.not_after)))
    } else if left.unsigned_abs() < ENDS_SOON {
        Some(format!("It ends on {}: see that it is renewed.", moment(certificate.not_after)))
    } else {
        None
    }
}

async fn proxmox(lobby: &Client, steps: &mut Steps<'_>) -> Option<()> {
    let began = Instant::now();
    match lobby.domains().await {
        Ok(answer) => {
            steps.add(Step::new("http", "HTTP", Verdict::Ok, "it answers").took(began.elapsed()));
            let realms: Vec<String> = answer.value.rows.iter().map(|r| r.realm.clone()).collect();
            let mut step = Step::new(
                "proxmox",
                "is it Proxmox VE",
                Verdict::Ok,
                format!("yes, with the realms {}", realms.join(", ")),
            );
            if !answer.drift.is_empty() {
                step.verdict = Verdict::Warning;
                step.drift = Some(answer.drift);
            }
            if let Some(skew) = answer
                .server_date
                .map(|at| at.duration_since(Timestamp::now()).as_secs())
                .filter(|s| s.abs() > 60)
            {
                step.verdict = Verdict::Warning;
                step = step.remedy(format!(
                    "Its clock differs from ours by {} s: tickets and certificates depend on it.",
                    skew
                ));
            }
            steps.add(step);
            Some(())
        }
        // The list is open to everyone, so this says nothing of the credential yet: the sign-in will.
        Err(error) if matches!(error.kind(), ErrorKind::CredentialsRejected { .. }) => {
            steps.add(Step::new("http", "HTTP", Verdict::Ok, "it answers").took(began.elapsed()));
            let found = "yes, but it says 401 even to what is open to everyone";
            steps.add(Step::new("proxmox", "is it Proxmox VE", Verdict::Warning, found).remedy(
                "Something in front of it, or a sick pveproxy, turns everyone away: look at its log on the host.",
            ));
            Some(())
        }
        Err(error) => {
            let foreign = matches!(error.kind(), ErrorKind::NotProxmox { .. } | ErrorKind::Redirected { .. });
            // An error of Proxmox's own is an answer: HTTP works, and it is one.
            let answered = foreign || failure_of_error(&error).exit == crate::exit::Exit::Failed;
            if answered {
                steps.add(Step::new("http", "HTTP", Verdict::Ok, "it answers").took(began.elapsed()));
                steps.add(failed("proxmox", "is it Proxmox VE", &error));
            } else {
                steps.add(failed("http", "HTTP", &error).took(began.elapsed()));
            }
            None
        }
    }
}
