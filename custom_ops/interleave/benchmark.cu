// Checks and times the CUDA kernels alone, without TensorFlow:
//
//     nvcc -O3 -std=c++17 -arch=sm_90 benchmark.cu interleave_cuda.cu -o interleave_benchmark
//     ./interleave_benchmark
//
// First every element width and awkward shape against a plain loop on the CPU, both directions;
// then GB/s (bytes read plus bytes written) at the decoders' shapes, beside cudaMemcpyAsync from
// device to device of as many bytes. Exit code 1 if any byte differs.

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include "interleave.h"

using keras_depth::Geometry;
using keras_depth::LaunchDeinterleave;
using keras_depth::LaunchInterleave;

namespace {

void Require(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

void Require(const char* error) {
  if (error == nullptr) return;
  std::fprintf(stderr, "launch: %s\n", error);
  std::exit(1);
}

int64_t SmallBytes(const Geometry& g) { return g.rows * g.width * g.pixel_bytes; }

// The definition, byte by byte.
std::vector<char> InterleaveOnCpu(const Geometry& g, const std::vector<char> small[4]) {
  std::vector<char> large(4 * SmallBytes(g));
  for (int64_t row = 0; row < 2 * g.rows; ++row) {
    for (int64_t column = 0; column < 2 * g.width; ++column) {
      const std::vector<char>& from = small[row % 2 * 2 + column % 2];
      for (int64_t byte = 0; byte < g.pixel_bytes; ++byte) {
        large[(row * 2 * g.width + column) * g.pixel_bytes + byte] =
            from[(row / 2 * g.width + column / 2) * g.pixel_bytes + byte];
      }
    }
  }
  return large;
}

// Four small maps and a large one on the device, each `offset` bytes past an aligned address.
struct Maps {
  char* base[5];
  char* small[4];
  char* large;

  Maps(const Geometry& g, int64_t offset) {
    for (int i = 0; i < 5; ++i) {
      const int64_t bytes = (i < 4 ? 1 : 4) * SmallBytes(g) + offset;
      Require(cudaMalloc(&base[i], std::max<int64_t>(bytes, 1)), "cudaMalloc");
      Require(cudaMemset(base[i], 0xEE, std::max<int64_t>(bytes, 1)), "cudaMemset");
    }
    for (int i = 0; i < 4; ++i) small[i] = base[i] + offset;
    large = base[4] + offset;
  }
  ~Maps() {
    for (char* pointer : base) cudaFree(pointer);
  }
};

bool Check(const Geometry& g, int64_t offset) {
  const int64_t bytes = SmallBytes(g);
  std::vector<char> small[4];
  for (auto& map : small) {
    map.resize(bytes);
    for (char& value : map) value = static_cast<char>(std::rand());
  }
  const std::vector<char> expected = InterleaveOnCpu(g, small);

  Maps maps(g, offset);
  for (int i = 0; i < 4; ++i) {
    Require(cudaMemcpy(maps.small[i], small[i].data(), bytes, cudaMemcpyDefault), "to device");
  }
  Require(LaunchInterleave(g, maps.small, maps.large, nullptr));
  std::vector<char> large(4 * bytes);
  Require(cudaMemcpy(large.data(), maps.large, 4 * bytes, cudaMemcpyDefault), "interleave");

  for (char* map : maps.small) Require(cudaMemset(map, 0xEE, bytes), "cudaMemset");
  Require(LaunchDeinterleave(g, maps.small, maps.large, nullptr));
  bool same = large == expected;
  for (int i = 0; i < 4; ++i) {
    std::vector<char> back(bytes);
    Require(cudaMemcpy(back.data(), maps.small[i], bytes, cudaMemcpyDefault), "deinterleave");
    same = same && back == small[i];
  }
  if (!same) {
    std::printf("WRONG: rows %lld, width %lld, pixel of %lld bytes, offset %lld\n",
                static_cast<long long>(g.rows), static_cast<long long>(g.width),
                static_cast<long long>(g.pixel_bytes), static_cast<long long>(offset));
  }
  return same;
}

bool CheckAll() {
  bool good = true;
  int checked = 0;
  for (int64_t element : {1, 2, 4, 8}) {  // uint8; half, bfloat16; float, int32; double
    for (int64_t channels : {1, 2, 3, 4, 5, 8, 12, 16, 31, 64, 100, 512, 1025}) {
      for (const auto& size : {std::pair<int64_t, int64_t>{1, 1}, {1, 7}, {7, 1}, {3, 5}, {15, 20},
                               {33, 65}}) {
        for (int64_t offset : {int64_t{0}, element}) {
          good = Check({size.first, size.second, channels * element}, offset) && good;
          ++checked;
        }
      }
    }
  }
  // More rows than the grid has, more columns than a block, and nothing at all.
  for (const Geometry& g : {Geometry{300000, 1, 256}, Geometry{5000000, 1, 1}, Geometry{1, 70001, 3},
                            Geometry{0, 5, 4}, Geometry{5, 0, 4}, Geometry{5, 5, 0}}) {
    good = Check(g, 0) && good;
    ++checked;
  }
  std::printf("%d shapes against the CPU, both directions: %s\n\n", checked,
              good ? "all equal" : "WRONG");
  return good;
}

// Milliseconds of one call, from `calls` queued together.
float Time(const std::function<void()>& call, int calls) {
  cudaEvent_t start, stop;
  Require(cudaEventCreate(&start), "event");
  Require(cudaEventCreate(&stop), "event");
  Require(cudaEventRecord(start), "event");
  for (int i = 0; i < calls; ++i) call();
  Require(cudaEventRecord(stop), "event");
  Require(cudaEventSynchronize(stop), "kernel");
  float milliseconds = 0;
  Require(cudaEventElapsedTime(&milliseconds, start, stop), "event");
  cudaEventDestroy(start);
  cudaEventDestroy(stop);
  return milliseconds / calls;
}

float Median(std::vector<float> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Benchmark(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t element) {
  const Geometry g{batch * height, width, channels * element};
  const int64_t bytes = 4 * SmallBytes(g);
  Maps maps(g, 0);
  char* copy;
  Require(cudaMalloc(&copy, bytes), "cudaMalloc");
  const std::function<void()> calls[3] = {
      [&] { Require(LaunchInterleave(g, maps.small, maps.large, nullptr)); },
      [&] { Require(LaunchDeinterleave(g, maps.small, maps.large, nullptr)); },
      [&] {
        Require(cudaMemcpyAsync(copy, maps.large, bytes, cudaMemcpyDeviceToDevice), "copy");
      }};
  std::vector<float> times[3];
  for (int round = 0; round < 22; ++round) {
    for (int i = 0; i < 3; ++i) {
      const float time = Time(calls[i], 20);
      if (round >= 2) times[i].push_back(time);  // the first two rounds warm up
    }
  }
  const float interleave = Median(times[0]), deinterleave = Median(times[1]);
  const float memcpy = Median(times[2]);
  const double gigabytes = 2e-6 * bytes;  // read and written, over milliseconds: GB/s
  std::printf("| %lldx%lldx%lldx%lld | %s | %.1f | %.0f (%.4f ms) | %.0f (%.4f ms) | %.0f (%.4f ms) "
              "| %.2f | %.2f |\n",
              static_cast<long long>(batch), static_cast<long long>(height),
              static_cast<long long>(width), static_cast<long long>(channels),
              element == 4 ? "float32" : "float16", 1e-6 * bytes, gigabytes / interleave, interleave,
              gigabytes / deinterleave, deinterleave, gigabytes / memcpy, memcpy,
              interleave / memcpy, deinterleave / memcpy);
  cudaFree(copy);
}

}  // namespace

int main() {
  cudaDeviceProp device;
  Require(cudaGetDeviceProperties(&device, 0), "no CUDA device");
  std::printf("%s, %d multiprocessors, L2 %.0f MB\n", device.name, device.multiProcessorCount,
              1e-6 * device.l2CacheSize);
  if (!CheckAll()) return 1;

  std::printf("GB/s, bytes read plus written; medians of 20 rounds of 20 queued calls, the three\n"
              "taking turns. Maps smaller than the L2 cache stay in it, for the copy as well.\n\n"
              "| each small map | dtype | large map, MB | interleave | deinterleave | cudaMemcpy "
              "| interleave / copy, time | deinterleave / copy, time |\n"
              "|---|---|---|---|---|---|---|---|\n");
  for (int64_t element : {4, 2}) {
    for (int64_t batch : {1, 8}) {
      Benchmark(batch, 15, 20, 512, element);
      Benchmark(batch, 30, 40, 256, element);
      Benchmark(batch, 60, 80, 128, element);
      Benchmark(batch, 120, 160, 64, element);
      Benchmark(batch, 240, 320, 32, element);
    }
  }
  return 0;
}
