use pgq::BoxError;

#[pgq::task(limit(concurrency = 1, key = "tenant_id"))]
#[serde(rename_all = "camelCase")]
async fn send(tenant_id: String, to: String) -> Result<(), BoxError> {
    drop((to, tenant_id));
    Ok(())
}

fn main() {}
