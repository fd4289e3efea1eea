use pgq::Tasks;

mod shop {
    pub struct Till;
}

mod billing {
    use pgq::{BoxError, Context};

    #[pgq::task]
    pub async fn charge(ctx: Context<crate::shop::Till>) -> Result<(), BoxError> {
        let _ = ctx;
        Ok(())
    }
}

fn tasks() -> Tasks<()> {
    pgq::tasks![billing::charge]
}

fn main() {}
