//! Waiting with a limit, and with something to say when it is over.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often is asked.
const POLL: Duration = Duration::from_millis(200);

/// What a look found: the thing waited for, or a word on how things are.
pub type Look<T> = std::result::Result<T, String>;

/// Looks until the thing is there. An error that a look cannot recover from ends the wait at once.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match look().await? {
            Ok(found) => return Ok(found),
            Err(seen) if Instant::now() > deadline => {
                bail!("not within {limit:?}: {what}. Last seen: {seen}")
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_that_is_over_tells_what_for_and_what_was_seen() {
        let never = async || Ok(Look::<()>::Err("still empty".to_owned()));
        let error = until("a full glass", Duration::from_millis(1), never).await.unwrap_err();
        assert_eq!(error.to_string(), "not within 1ms: a full glass. Last seen: still empty");
    }

    #[tokio::test]
    async fn a_wait_ends_with_what_was_found() {
        let mut looks = 0;
        let found = until("the second look", Duration::from_mins(1), async || {
            looks += 1;
            Ok(if looks == 2 { Ok(looks) } else { Err(String::new()) })
        });
        assert_eq!(found.await.unwrap(), 2);
    }
}
