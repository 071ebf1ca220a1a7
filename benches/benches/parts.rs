//! What the parts of a call cost, in this process: reading, answering, writing.

#![allow(clippy::expect_used, reason = "without its workloads there is nothing to measure")]

use std::hint::black_box;

use benches::workload::Workload;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use function_inference::function::{self, Memory};
use function_inference::protocol::official;
use function_inference::protocol::view::RunFunctionRequest;
use prost::Message;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn parts(criterion: &mut Criterion) {
    let workloads =
        [("base", Workload::base()), ("neighbours", Workload::with_neighbours(3 * 1024 * 1024, 8 * 1024))];
    for (name, workload) in workloads {
        let workload = workload.expect("the example renders");
        let mut group = criterion.benchmark_group(name);
        let wire = workload.wire();
        group.bench_function("read", |bencher| {
            bencher.iter(|| RunFunctionRequest::decode(black_box(wire.clone())));
        });
        let request = RunFunctionRequest::decode(wire.clone()).expect("the request is whole");
        group.bench_function("answer", |bencher| bencher.iter(|| function::run(black_box(&request))));
        let memory = Memory::of(1024 * 1024);
        group.bench_function("answer, known", |bencher| {
            bencher.iter(|| function::run_again(black_box(&request), &memory));
        });
        let response = function::run(&request);
        group.bench_function("write", |bencher| {
            bencher.iter_batched(
                || response.clone(),
                |response| response.encode_to_vec(),
                BatchSize::SmallInput,
            );
        });
        // What the same costs with the official messages.
        group.bench_function("read, official", |bencher| {
            bencher.iter(|| official::RunFunctionRequest::decode(black_box(Bytes::clone(&wire))));
        });
        group.finish();
    }
}

criterion_group!(benches, parts);
criterion_main!(benches);
