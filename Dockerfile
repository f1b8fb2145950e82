# syntax=docker/dockerfile:1

# The compiler of rust-toolchain.toml, which a test compares with this line; that file itself stays
# outside, as rustup would fetch rustfmt and clippy for it.
ARG RUST_VERSION=1.95.0
# Of both stages: what is built on one release of Debian is not run on an older one.
ARG DEBIAN=trixie

FROM rust:${RUST_VERSION}-slim-${DEBIAN} AS build
WORKDIR /source
# Dependencies are built from the manifests and empty crates, in a layer that is used again until a
# manifest or the lock file changes.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY engine/Cargo.toml engine/
COPY storage/Cargo.toml storage/
COPY feed/Cargo.toml feed/
COPY api/Cargo.toml api/
COPY load-test/Cargo.toml load-test/
COPY test-support/Cargo.toml test-support/
RUN mkdir engine/src storage/src feed/src api/src load-test/src test-support/src \
    && touch engine/src/lib.rs storage/src/lib.rs feed/src/lib.rs api/src/lib.rs test-support/src/lib.rs \
    && echo 'fn main() {}' > api/src/main.rs \
    && cp api/src/main.rs load-test/src/main.rs \
    && cargo build --release --locked --package shardbook --bin shardbook
COPY engine/src engine/src
COPY storage/src storage/src
COPY feed/src feed/src
COPY api/src api/src
# What is copied is as old as in the context, and cargo builds again only what is newer than before.
RUN find engine storage feed api -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --package shardbook --bin shardbook \
    && strip target/release/shardbook

FROM debian:${DEBIAN}-slim
COPY --from=build /source/target/release/shardbook /usr/local/bin/shardbook
COPY --chmod=755 deploy/healthy /usr/local/bin/healthy
# A volume that is made here belongs to whom its directory belongs to in the image.
RUN install --directory --owner=10001 --group=10001 --mode=700 /data
USER 10001:10001
VOLUME /data
WORKDIR /data
ENV SHARDBOOK_DATA_DIR=/data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m --start-interval=1s CMD ["healthy"]
ENTRYPOINT ["shardbook"]
CMD ["serve"]
