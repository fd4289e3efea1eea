struct Send;

fn tasks() -> pgq::Tasks<()> {
    pgq::tasks![Send]
}

fn main() {}
