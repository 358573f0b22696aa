//! The program: sets the allocator and calls [`sts_verify::cli`].

use mimalloc::MiMalloc;
use std::process::ExitCode;
use zeroizing_alloc::ZeroAlloc;

/// musl's allocator is several times slower under load. Freed memory is wiped, so that secrets do not stay in
/// the copies that the SDK, hyper and parsers make of them.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    sts_verify::cli::main(std::env::args_os())
}
