//! From causes and errors to exit codes and sentences: one place, so that every command says the same.

use model::cause::{Cause, ServerClass};
use model::operation::{FailedWhy, OperationState};

use crate::exit::Exit;
use crate::failure::Failure;

/// The exit code that stands for a cause.
pub fn exit_of(cause: &Cause) -> Exit {
    match cause {
        Cause::Dns { .. }
        | Cause::Refused
        | Cause::Unreachable { .. }
        | Cause::ConnectTimeout { .. }
        | Cause::TlsFailure { .. }
        | Cause::NoAnswer { .. }
        | Cause::AnswerCut { .. }
        | Cause::Disconnected { .. }
        | Cause::NodeDown { .. }
        | Cause::NodeNoAnswer { .. } => Exit::Unreachable,
        Cause::UntrustedCertificate { .. } | Cause::CertificateChanged { .. } => Exit::Certificate,
        Cause::NotHttp { .. } | Cause::NotProxmox { .. } => Exit::NotProxmox,
        Cause::CredentialsRejected { .. } => Exit::Credentials,
        Cause::SecondFactorNeeded { .. } => Exit::SecondFactor,
        Cause::PrivilegeMissing { .. } => Exit::NotAllowed,
        Cause::ServerError { class: ServerClass::NotFound, .. } | Cause::NotSendable { .. } => Exit::Usage,
        Cause::ServerError { .. }
        | Cause::NotUnderstood { .. }
        | Cause::NotSupported { .. }
        | Cause::ParametersRejected { .. }
        | Cause::TooLarge { .. }
        | Cause::RunElsewhere { .. }
        | Cause::Unattended { .. }
        | Cause::Internal { .. } => Exit::Failed,
    }
}

/// A cause as what is printed: its sentence, its remedy, its code.
pub fn failure_of(cause: &Cause) -> Failure {
    Failure::new(exit_of(cause), format!("{}.", cause.sentence())).hint(cause.remedy()).cause(cause.code())
}

/// A client's error as what is printed. The endpoint stands in the sentence.
pub fn failure_of_error(error: &pve::error::Error) -> Failure {
    let cause = fleet::errors::cause(error);
    Failure::new(exit_of(&cause), format!("{error}.")).hint(cause.remedy()).cause(cause.code())
}

/// The exit code that stands for how an operation ended, or for how it stands when nobody waits any longer.
pub fn exit_of_operation(state: &OperationState) -> Exit {
    match state {
        OperationState::Succeeded | OperationState::SucceededWithWarnings { .. } => Exit::Done,
        OperationState::Failed(FailedWhy::Refused { cause }) | OperationState::NotSent { cause } => {
            exit_of(cause)
        }
        OperationState::Failed(FailedWhy::Task { .. } | FailedWhy::Ha) | OperationState::Cancelled => {
            Exit::Failed
        }
        OperationState::Pending
        | OperationState::Sent
        | OperationState::Running
        | OperationState::HandedToHa
        | OperationState::OutcomeUnknown(_) => Exit::OutcomeUnknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_trouble_has_its_code() {
        for (cause, exit) in [
            (Cause::Refused, 6),
            (Cause::CredentialsRejected { reason: String::new() }, 4),
            (Cause::SecondFactorNeeded { kinds: Vec::new() }, 9),
            (Cause::UntrustedCertificate { presented: String::new(), why: String::new() }, 8),
            (Cause::NotProxmox { seen: String::new() }, 10),
            (Cause::PrivilegeMissing { path: String::new(), privileges: Vec::new(), text: String::new() }, 5),
            (Cause::NotUnderstood { what: String::new() }, 1),
        ] {
            assert_eq!(exit_of(&cause).code(), exit, "{cause:?}");
            let failure = failure_of(&cause);
            assert!(failure.hint.is_some());
            if exit != 6 {
                assert!(!failure.to_string().contains("unreachable"), "{failure}");
            }
        }
    }

    #[test]
    fn what_nobody_knows_is_not_called_failed() {
        assert_eq!(exit_of_operation(&OperationState::Running), Exit::OutcomeUnknown);
        assert_eq!(exit_of_operation(&OperationState::NotSent { cause: Cause::Refused }), Exit::Unreachable);
        assert_eq!(exit_of_operation(&OperationState::SucceededWithWarnings { count: Some(1) }), Exit::Done);
    }
}
