#[cfg(test)]
mod _x {}
