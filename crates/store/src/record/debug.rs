//! What a change is called where programs are looked into.

use super::Write;

impl std::fmt::Debug for Write {
    /// The kind and the key, never the contents.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Remote(record) => write!(f, "Remote({})", record.id),
            Self::RemoteGone { id } => write!(f, "RemoteGone({id})"),
            Self::Held { remote, term, .. } => write!(f, "Held({remote}/{term})"),
            Self::Secret { id, .. } => write!(f, "Secret({}/{})", id.purpose, id.record),
            Self::SecretOnce { id, .. } => write!(f, "SecretOnce({}/{})", id.purpose, id.record),
            Self::SecretGone { id } => write!(f, "SecretGone({}/{})", id.purpose, id.record),
            Self::Observed(it) => write!(f, "Observed({}/{}/{})", it.remote, it.kind.as_str(), it.key),
            Self::ObservedGone { remote, kind, key } => {
                write!(f, "ObservedGone({remote}/{}/{key})", kind.as_str())
            }
            Self::Gauges(record) => write!(f, "Gauges({})", record.remote),
            Self::Event(record) => write!(f, "Event({})", record.kind),
            Self::Operation(record) => write!(f, "Operation({})", record.id),
            Self::Drift(record) => write!(f, "Drift({}/{})", record.remote, record.key),
            Self::Audit(record) => write!(f, "Audit({})", record.action),
            Self::AuditExported { through } => write!(f, "AuditExported({through})"),
            Self::PeopleAt { number } => write!(f, "PeopleAt({number})"),
            Self::User(record) => write!(f, "User({})", record.name),
            Self::SignedIn { name, .. } => write!(f, "SignedIn({name})"),
            Self::UserGone { name } => write!(f, "UserGone({name})"),
            Self::Grants { user, .. } => write!(f, "Grants({user})"),
            Self::Session(record) => write!(f, "Session({})", record.id),
            Self::SessionSeen { id, .. } => write!(f, "SessionSeen({id})"),
            Self::SessionGone { id } => write!(f, "SessionGone({id})"),
            Self::SessionsGone { user, .. } => write!(f, "SessionsGone({user})"),
            Self::Token(record) => write!(f, "Token({})", record.id),
            Self::TokenSeen { id, .. } => write!(f, "TokenSeen({id})"),
            Self::TokenGone { id } => write!(f, "TokenGone({id})"),
            Self::Factor(record) => write!(f, "Factor({})", record.user),
            Self::FactorUsed { was, .. } => write!(f, "FactorUsed({})", was.user),
            Self::FactorAbsent { user } => write!(f, "FactorAbsent({user})"),
            Self::FactorGone { user } => write!(f, "FactorGone({user})"),
            Self::Preferences(record) => write!(f, "Preferences({}: {})", record.user, record.number),
            Self::Idempotency(record) => write!(f, "Idempotency({})", record.key),
            Self::IdempotencyAnswered { key, status, .. } => {
                write!(f, "IdempotencyAnswered({key}: {status})")
            }
            Self::IdempotencyDone { key, .. } => write!(f, "IdempotencyDone({key})"),
            Self::IdempotencyGone { key, .. } => write!(f, "IdempotencyGone({key})"),
            Self::Setting { key, .. } => write!(f, "Setting({key})"),
        }
    }
}
