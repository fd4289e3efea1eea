use pgq::BoxError;

async fn region(args: &SendArgs) -> String {
    args.tenant.clone()
}

#[pgq::task(limit(concurrency = 2, key = region))]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
