# The runtime image for those who have a container engine; `cargo xtask package` writes the same one without.
#
#   docker build --tag function-inference .
#   crossplane xpkg build --package-root=dist/function --embed-runtime-image=function-inference

# Debian, not Alpine: the linker then finds a static glibc.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Linked without a dynamic loader, since the last stage has none. Naming the target keeps the flag away from build
# scripts and procedural macros, which have to be loadable. Packed relocations take a third of a megabyte less.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(rustc --print host-tuple)" && \
    SOURCE_DATE_EPOCH=0 RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
      cargo build --profile dist --locked --package function-inference --bin function-inference --target "$target" && \
    cp "target/$target/dist/function-inference" /function-inference

FROM scratch
COPY --from=build --chmod=755 /function-inference /function-inference
# The user that Crossplane runs functions as.
USER 2000:2000
WORKDIR /
# gRPC and metrics.
EXPOSE 9443 8080
ENTRYPOINT ["/function-inference"]
