//! Limits that a client is built with.

use pgq::{Client, Result};

#[pgq::task]
async fn note(text: String) -> std::result::Result<(), pgq::BoxError> {
    drop(text);
    Ok(())
}

#[tokio::test]
async fn the_largest_payload_can_be_chosen() -> Result<()> {
    let client = Client::builder()?.max_payload(10).memory();
    note::enqueue(&client, "123456789".to_owned()).await?;
    let error = note::enqueue(&client, "1234567890".to_owned()).await.unwrap_err();
    assert!(error.is_payload() && error.to_string().contains("at most 10 bytes, got 11"), "{error}");
    Ok(())
}
