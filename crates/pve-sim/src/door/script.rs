//! Faults that come and go by themselves.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::remote::Remote;
use crate::topology::Script;

/// Takes one step after the other until the simulator ends, or the script does.
pub(crate) async fn run(remote: Remote, script: Script, stop: CancellationToken) {
    loop {
        for step in &script.steps {
            let mut placed = Vec::new();
            for fault in &step.faults {
                match remote.try_fault(fault.clone()).await {
                    Ok(id) => placed.push(id),
                    Err(error) => {
                        tracing::error!(remote = remote.name(), %error, "fault of a script not placed")
                    }
                }
            }
            let go_on = tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(step.ms)) => true,
                () = stop.cancelled() => false,
            };
            for id in placed {
                remote.clear(id).await;
            }
            if !go_on {
                return;
            }
        }
        if !script.repeat {
            return;
        }
    }
}
