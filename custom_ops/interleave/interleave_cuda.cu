// The CUDA kernel: each thread moves the same bytes of A, B, C and D, so four loads are in flight.

#include <cuda_runtime.h>

#include <algorithm>

#include "interleave.h"

namespace keras_depth {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxThreadsZ = 64;    // CUDA's limits on a block and on a grid
constexpr int64_t kMaxGridX = 2147483647, kMaxGridY = 65535;

template <typename Word>
struct SmallMaps {
  Word* map[4];
};

// x runs over the words of a pixel, y over the columns, z over the rows of a small map: no division.
// Loops cover what is larger than the grid.
template <typename Word, bool kInterleave>
__global__ void __launch_bounds__(kThreads)
    Move(int64_t rows, int64_t width, int64_t words, SmallMaps<Word> small, Word* large) {
  for (int64_t row = int64_t{blockIdx.y} * blockDim.z + threadIdx.z; row < rows;
       row += int64_t{gridDim.y} * blockDim.z) {
    for (int64_t column = int64_t{blockIdx.x} * blockDim.y + threadIdx.y; column < width;
         column += int64_t{gridDim.x} * blockDim.y) {
      const int64_t from = (row * width + column) * words;
      const int64_t even = (4 * row * width + 2 * column) * words;  // A and B; C and D are a row on
      const int64_t odd = even + 2 * width * words;
      for (int64_t word = threadIdx.x; word < words; word += blockDim.x) {
        Word* const a = large + even + word;
        Word* const c = large + odd + word;
        const int64_t at = from + word;
        if constexpr (kInterleave) {
          const Word values[4] = {small.map[0][at], small.map[1][at], small.map[2][at],
                                  small.map[3][at]};
          a[0] = values[0], a[words] = values[1];
          c[0] = values[2], c[words] = values[3];
        } else {
          const Word values[4] = {a[0], a[words], c[0], c[words]};
          for (int i = 0; i < 4; ++i) small.map[i][at] = values[i];
        }
      }
    }
  }
}

// The smallest power of two that is at least `value`, but at most `limit` (a power of two).
int Threads(int64_t value, int limit) {
  int threads = 1;
  while (threads < value && threads < limit) threads *= 2;
  return threads;
}

template <typename Word, bool kInterleave>
const char* Launch(const Geometry& geometry, char* const small[4], char* large, void* stream) {
  const int64_t words = geometry.pixel_bytes / static_cast<int64_t>(sizeof(Word));
  dim3 block;
  block.x = Threads(words, kThreads);
  block.y = Threads(geometry.width, kThreads / block.x);
  block.z = Threads(geometry.rows, std::min<int>(kThreads / (block.x * block.y), kMaxThreadsZ));
  dim3 grid;
  grid.x = std::min((geometry.width + block.y - 1) / block.y, kMaxGridX);
  grid.y = std::min((geometry.rows + block.z - 1) / block.z, kMaxGridY);
  SmallMaps<Word> maps;
  for (int i = 0; i < 4; ++i) maps.map[i] = reinterpret_cast<Word*>(small[i]);
  Move<Word, kInterleave><<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(
      geometry.rows, geometry.width, words, maps, reinterpret_cast<Word*>(large));
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

// Takes the widest word (16, 8, 4, 2 or 1 bytes) that every pixel of every map starts on.
template <bool kInterleave>
const char* LaunchWidest(const Geometry& geometry, char* const small[4], char* large,
                         void* stream) {
  if (geometry.rows == 0 || geometry.width == 0 || geometry.pixel_bytes == 0) return nullptr;
  uintptr_t bits = static_cast<uintptr_t>(geometry.pixel_bytes) | reinterpret_cast<uintptr_t>(large);
  for (int i = 0; i < 4; ++i) bits |= reinterpret_cast<uintptr_t>(small[i]);
  if (bits % 16 == 0) return Launch<uint4, kInterleave>(geometry, small, large, stream);
  if (bits % 8 == 0) return Launch<uint2, kInterleave>(geometry, small, large, stream);
  if (bits % 4 == 0) return Launch<uint32_t, kInterleave>(geometry, small, large, stream);
  if (bits % 2 == 0) return Launch<uint16_t, kInterleave>(geometry, small, large, stream);
  return Launch<uint8_t, kInterleave>(geometry, small, large, stream);
}

}  // namespace

const char* LaunchInterleave(const Geometry& geometry, char* const small[4], char* large,
                             void* stream) {
  return LaunchWidest<true>(geometry, small, large, stream);
}

const char* LaunchDeinterleave(const Geometry& geometry, char* const small[4], char* large,
                               void* stream) {
  return LaunchWidest<false>(geometry, small, large, stream);
}

}  // namespace keras_depth
