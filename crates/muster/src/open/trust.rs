//! Whether to believe a certificate that is shown: [`decide`] for a host, [`judge`] for anyone.

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

/// How a certificate is found on the host itself.
pub const ON_THE_HOST: &str =
    "On the host it is shown by:  openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256";

/// A certificate that nobody known vouches for, and the words with which a person is asked about it.
pub struct Shown<'a> {
    /// Who shows it.
    pub name: &'a str,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its facts, one a line.
    pub facts: Vec<String>,
    /// Why it is not trusted.
    pub why: &'a str,
    /// To whom it is not known: `here`.
    pub known: &'a str,
    /// What is asked: `Trust it?`
    pub question: &'a str,
    /// Where its owner reads the fingerprint.
    pub whose: Whose,
}

/// Whose certificate it is, and with it where the right fingerprint is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A Proxmox VE host's.
    Host,
    /// A Muster server's.
    Server,
}

impl Whose {
    /// What to do when it is not the one that was given.
    fn differs(self) -> &'static str {
        match self {
            Self::Host => {
                "If the certificate was renewed on purpose, compare the new fingerprint on the host and give that one. \
                 Otherwise someone may sit in between."
            }
            Self::Server => "Compare it with what \"muster serve\" printed when it started there.",
        }
    }

    /// How it is accepted once it was compared.
    fn accepted(self, fingerprint: Fingerprint) -> String {
        match self {
            Self::Host => {
                format!("If that is the host's certificate, add:  --fingerprint {fingerprint}\n{ON_THE_HOST}")
            }
            Self::Server => format!(
                "If that is the server's certificate (it prints the fingerprint when it starts), add:  \
                 --fingerprint {fingerprint}"
            ),
        }
    }

    /// Where a person compares it.
    fn compare(self) -> &'static str {
        match self {
            Self::Host => "Compare the SHA-256 with the one on the host (its node → System → Certificates).",
            Self::Server => "Compare the SHA-256 with what \"muster serve\" printed when it started there.",
        }
    }
}

/// Decides about a certificate that nobody vouches for: by the fingerprints that were given, by a word given in
/// advance, or by the person, if there is one.
///
/// # Errors
/// Not trusted: the failure shows the certificate and names the option that would accept it.
pub fn judge(shown: &Shown<'_>, beliefs: &Beliefs, ask: &mut dyn Ask) -> Result<Grounds, Failure> {
    let Shown { name, fingerprint, facts, why, known, question, whose } = shown;
    if beliefs.fingerprints.contains(fingerprint) {
        return Ok(Grounds::Fingerprint);
    }
    if !beliefs.fingerprints.is_empty() {
        let expected = beliefs.fingerprints.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        return Err(Failure::new(
            Exit::Certificate,
            format!(
                "{name} shows another certificate than the one given with --fingerprint. Nothing was sent."
            ),
        )
        .cause("certificate_changed")
        .detail(facts.iter().cloned())
        .detail([format!("given    {expected}")])
        .hint(whose.differs()));
    }
    if beliefs.accept_new {
        ask.tell(&safe(&format!("{name}: accepting the certificate shown, SHA-256 {fingerprint}")));
        return Ok(Grounds::AcceptedNew);
    }
    let untrusted = |sentence: String| {
        Failure::new(Exit::Certificate, sentence)
            .cause("untrusted_certificate")
            .detail(facts.iter().cloned())
            .hint(whose.accepted(*fingerprint))
    };
    if !ask.present() {
        return Err(untrusted(format!("The certificate of {name} is not trusted: {why}. Nothing was sent.")));
    }
    ask.tell(&safe(&format!("The certificate of {name} is not known {known}: {why}.")));
    for line in facts {
        ask.tell(&format!("  {}", safe(line)));
    }
    ask.tell(whose.compare());
    match ask.confirm(question)? {
        true => Ok(Grounds::Confirmed),
        false => Err(untrusted(format!("The certificate of {name} was not confirmed. Nothing was sent."))),
    }
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
    let why = match presented.by_system() {
        Ok(()) => return Ok((TrustPolicy::system(), Grounds::System)),
        Err(why) => why.to_string(),
    };
    let shown = Shown {
        name,
        fingerprint: leaf.fingerprint,
        facts: facts(leaf),
        why: &why,
        known: "here",
        question: "Trust it while this command runs?",
        whose: Whose::Host,
    };
    let grounds = judge(&shown, beliefs, ask)?;
    Ok((TrustPolicy::leaf(leaf.fingerprint), grounds))
}
