# The image of sts-verify: one static program and the CA roots it trusts, nothing else.
#
#   docker build -t sts-verify .
#
# BuildKit is not needed. tests/conformance/image builds and runs the image.

# Both base images are arguments, so another registry can be used. The builder is a Debian with rustup, gcc and apt.
ARG BUILDER=docker.io/library/rust:1.95-slim-bookworm
ARG RUNTIME=scratch

FROM ${BUILDER} AS builder

# musl-gcc compiles the C of aws-lc and mimalloc. No versions are pinned: Debian keeps only the newest of a release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates musl-tools \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build

# Without BuildKit no variable names the platform; the image is then for the platform of the build machine.
COPY rust-toolchain.toml ./
RUN rustup target add "$(uname -m)-unknown-linux-musl"

# The dependencies, in a layer that stays valid until a manifest changes: an empty program is built with them.
# Benchmarks, tests and examples are removed from the manifest, because their sources are not here yet. The empty
# packages are cleaned afterwards: they are newer than the real sources, so Cargo would not rebuild them.
ENV CC_x86_64_unknown_linux_musl=musl-gcc \
    CC_aarch64_unknown_linux_musl=musl-gcc
COPY Cargo.toml Cargo.lock ./
COPY sandbox/Cargo.toml sandbox/
RUN target="$(uname -m)-unknown-linux-musl" \
    && awk '/^\[/ { drop = /^\[\[(bench|test|example)\]\]/ } !drop' Cargo.toml > manifest \
    && mv manifest Cargo.toml \
    && mkdir src sandbox/src \
    && touch src/lib.rs sandbox/src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --locked --release --target "$target" --package sts-verify \
    && cargo clean --locked --release --target "$target" --package sts-verify --package sts-sandbox \
    && rm -r src sandbox/src

COPY build.rs ./
COPY sandbox sandbox
COPY src src
# The revision in `sts-verify --version` and the metric build_info; below, it is also a label.
ARG REVISION=unknown
RUN target="$(uname -m)-unknown-linux-musl" \
    && STS_VERIFY_REVISION="$REVISION" cargo build --locked --release --target "$target" --package sts-verify \
    && install -D "target/$target/release/sts-verify" /image/sts-verify \
    && install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt

FROM ${RUNTIME}

ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="sts-verify" \
      org.opencontainers.image.description="Are these AWS credentials good, and whose are they? An HTTP service that asks AWS STS." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"

COPY --from=builder /image /

# A number, not a name: there is no /etc/passwd, and Kubernetes' runAsNonRoot accepts only numbers.
USER 65532:65532

# Other containers cannot reach a container's loopback, so listen on all addresses. Logs are read by machines, so use
# JSON.
ENV STS_VERIFY_LISTEN=0.0.0.0:8080 \
    STS_VERIFY_LOG_FORMAT=json \
    STS_VERIFY_METRICS_LISTEN=0.0.0.0:9090 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
EXPOSE 8080 9090

# The subcommand itself gives up after 5 s and reports the reason; Docker's own limit is a fallback.
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s --retries=3 CMD ["/sts-verify", "healthcheck"]

# SIGTERM starts a graceful shutdown of at most 25 s, so use `docker stop --time 30`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/sts-verify"]
CMD ["serve"]
