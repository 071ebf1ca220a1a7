//! Writes the corpus that the fuzz targets start from: `cargo run --bin seeds`, in `fuzz/`.

use std::path::Path;

#[path = "../seeds.rs"]
mod seeds;

fn main() -> std::io::Result<()> {
    let json =
        |values: Vec<serde_json::Value>| values.iter().map(|value| value.to_string().into_bytes()).collect();
    let corpora: [(&str, Vec<Vec<u8>>); 4] = [
        ("request", seeds::requests()),
        ("composite", json(seeds::composites())),
        ("observed", json(seeds::observed())),
        ("yaml", seeds::yaml()),
    ];
    for (target, seeds) in corpora {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
