//! How everybody reaches the server: by links that lead to another one after a failover, under addresses that stay.

use pgq::sqlx::postgres::PgConnectOptions;

use crate::proxy::Proxy;

pub(crate) struct Links {
    /// Of all workers but one.
    pub(crate) shared: Proxy,
    /// Of the last worker, which can be silenced.
    pub(crate) apart: Proxy,
    /// Of the producer and the accounts.
    pub(crate) ours: Proxy,
}

impl Links {
    pub(crate) async fn to(server: &PgConnectOptions) -> std::io::Result<Self> {
        let link = async || Proxy::to(server.clone()).await;
        Ok(Self { shared: link().await?, apart: link().await?, ours: link().await? })
    }

    pub(crate) fn lead_to(&self, server: &PgConnectOptions) {
        for link in [&self.shared, &self.apart, &self.ours] {
            link.lead_to(server.clone());
        }
    }
}
