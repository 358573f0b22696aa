# Everyday commands; `just` lists them. .ci/run uses the same recipes, and installs just itself. To install just: PyPI's
# rust-just, or `cargo install just`. Without just, run the commands below.

# List the recipes
default:
    @{{ just_executable() }} --list --unsorted

# Serve with the sandbox instead of AWS, with Swagger UI at http://localhost:8080/docs/
sandbox *arguments:
    cargo run -- serve --sandbox {{ arguments }}

# Run the tests
test *arguments:
    cargo test --locked {{ arguments }}

# Run one conformance suite, or all of them: boto3, spelling, browser, image ...
suite *names:
    tests/conformance/run {{ names }}

# Check the formatting and lint everything
lint:
    cargo fmt --check
    cargo clippy --quiet --locked --all-targets -- -D warnings
    cargo check --quiet --locked --manifest-path fuzz/Cargo.toml --target-dir target
    cargo fmt --check --manifest-path benches/compare/floor/Cargo.toml
    cargo clippy --quiet --locked --manifest-path benches/compare/floor/Cargo.toml --target-dir target -- -D warnings

# Build the documentation of all items
docs *arguments:
    RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --no-deps --document-private-items {{ arguments }}

# Run each fuzz target for the given number of seconds
fuzz seconds="30":
    fuzz/run {{ seconds }}

# Measure the parts of an answer
bench *arguments:
    cargo bench {{ arguments }}

# Regenerate the tables of docs/settings.md, after a change of a setting
settings:
    UPDATE_DOCS=1 cargo test --quiet --test api the_page_of_settings

# Regenerate the OpenAPI document, after a change of a route or a schema
openapi:
    cargo run --quiet -- openapi > openapi/openapi.json

# Check deploy/ against the schemas of its platforms
deploy:
    tests/deploy/kubernetes
    tests/deploy/ecs
    tests/deploy/prometheus
    tests/deploy/helm
    tests/deploy/upgrades

# Check the release tools and workflows
release-checks:
    tests/release/run

# Run replicas under load and with failures
operations:
    tests/operations/run

# Run everything, as CI does
ci:
    .ci/run
