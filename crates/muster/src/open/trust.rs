//! Whether to believe the certificate that a host shows: [`decide`].

use pve::trust::{Certificate, Fingerprint, Presented, TrustPolicy};

use crate::cli::SignIn;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::ask::Ask;
use crate::term::text::{moment, safe};

/// What the command line says about trust.
#[derive(Debug, Clone, Default)]
pub struct Beliefs {
    /// Certificates that are to be trusted, by their fingerprints.
    pub fingerprints: Vec<Fingerprint>,
    /// Trust what is shown this time.
    pub accept_new: bool,
}

impl Beliefs {
    /// Reads them.
    ///
    /// # Errors
    /// A text that is no SHA-256 fingerprint.
    pub fn of(options: &SignIn) -> Result<Self, Failure> {
        let mut fingerprints = Vec::with_capacity(options.fingerprint.len());
        for text in &options.fingerprint {
            let fingerprint = text.parse().map_err(|e| {
                Failure::usage(format!("“{text}” is {e}.")).hint(
                    "On the host: openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256",
                )
            })?;
            fingerprints.push(fingerprint);
        }
        Ok(Self { fingerprints, accept_new: options.accept_new })
    }
}

/// How the trust in a certificate came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grounds {
    /// The system's store vouches for it.
    System,
    /// Its fingerprint was given.
    Fingerprint,
    /// Whatever is shown was to be accepted.
    AcceptedNew,
    /// A person looked at it and said yes.
    Confirmed,
}

/// A certificate's facts, one a line.
pub fn facts(certificate: &Certificate) -> Vec<String> {
    let names = if certificate.sans.is_empty() { "none".to_owned() } else { certificate.sans.join(", ") };
    vec![
        format!("subject  {}", certificate.subject),
        format!("issuer   {}", certificate.issuer),
        format!("names    {names}"),
        format!("valid    {} to {}", moment(certificate.not_before), moment(certificate.not_after)),
        format!("SHA-256  {}", certificate.fingerprint),
    ]
}

/// Decides whether what `name` shows is to be believed, asking if there is someone to ask.
///
/// # Errors
/// Not trusted: the failure shows the certificate and names the option that would accept it.
pub fn decide(
    name: &str,
    presented: &Presented,
    beliefs: &Beliefs,
    ask: &mut dyn Ask,
) -> Result<(TrustPolicy, Grounds), Failure> {
    let Some(leaf) = presented.leaf() else {
        return Err(Failure::new(Exit::Certificate, format!("{name} showed no certificate.")));
    };
    let pinned = || TrustPolicy::leaf(leaf.fingerprint);
    let why = match presented.by_system() {
        Ok(()) => return Ok((TrustPolicy::system(), Grounds::System)),
        Err(why) => why,
    };
    if beliefs.fingerprints.contains(&leaf.fingerprint) {
        return Ok((pinned(), Grounds::Fingerprint));
    }
    if !beliefs.fingerprints.is_empty() {
        let expected = beliefs.fingerprints.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        return Err(Failure::new(
            Exit::Certificate,
            format!("{name} shows another certificate than the one given with --fingerprint. Nothing was sent."),
        )
        .cause("certificate_changed")
        .detail(facts(leaf))
        .detail([format!("given    {expected}")])
        .hint(
            "If the certificate was renewed on purpose, compare the new fingerprint on the host and give that one. \
             Otherwise someone may sit in between.",
        ));
    }
    if beliefs.accept_new {
        ask.tell(&format!("{}: accepting the certificate shown, SHA-256 {}", safe(name), leaf.fingerprint));
        return Ok((pinned(), Grounds::AcceptedNew));
    }
    let untrusted = |sentence: String| {
        Failure::new(Exit::Certificate, sentence).cause("untrusted_certificate").detail(facts(leaf)).hint(format!(
            "If that is the host's certificate, add:  --fingerprint {}\n\
             On the host it is shown by:  openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256",
            leaf.fingerprint
        ))
    };
    if !ask.present() {
        return Err(untrusted(format!("The certificate of {name} is not trusted: {why}. Nothing was sent.")));
    }
    ask.tell(&format!("The certificate of {} is not known here: {}.", safe(name), safe(&why.to_string())));
    for line in facts(leaf) {
        ask.tell(&format!("  {}", safe(&line)));
    }
    ask.tell("Compare the SHA-256 with the one on the host (its node → System → Certificates).");
    if ask.confirm("Trust it while this command runs?")? {
        Ok((pinned(), Grounds::Confirmed))
    } else {
        Err(untrusted(format!("The certificate of {name} was not confirmed. Nothing was sent.")))
    }
}
