// The geometry of the op, and its CUDA launchers. Free of TensorFlow's and CUDA's headers, so that
// interleave_cuda.cu can be compiled, checked and timed alone (benchmark.cu).

#ifndef KERAS_DEPTH_INTERLEAVE_H_
#define KERAS_DEPTH_INTERLEAVE_H_

#include <cstdint>

namespace keras_depth {

// Four small maps A, B, C, D against one large map of twice the rows and twice the columns:
//
//     A B A B ...      row 2r of the large map: rows r of A and B, pixel by pixel
//     C D C D ...      row 2r + 1: rows r of C and D
//
// Batch and height count as one, because row r of a batch lands on row 2r of the large batch.
// A pixel is one run of bytes whatever its dtype, so one code serves every dtype.
struct Geometry {
  int64_t rows;         // batch * height of a small map
  int64_t width;        // of a small map
  int64_t pixel_bytes;  // channels * bytes a channel
};

// Fill `large` from `small`, or `small` from `large`: queue the kernel on `stream` (a cudaStream_t)
// and return at once. Pointers are to device memory. Return null, or what CUDA says is wrong.
const char* LaunchInterleave(const Geometry& geometry, char* const small[4], char* large,
                             void* stream);
const char* LaunchDeinterleave(const Geometry& geometry, char* const small[4], char* large,
                               void* stream);

}  // namespace keras_depth

#endif  // KERAS_DEPTH_INTERLEAVE_H_
