// The TensorFlow op: its registration and shapes, the CPU kernel, and the call of the CUDA kernel.

#include <cstring>

#include "interleave.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/platform/threadpool.h"

#ifdef KERAS_DEPTH_CUDA
#include "xla/stream_executor/stream.h"
#endif
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace keras_depth {
namespace {

using tensorflow::DeviceBase;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::InvalidArgument;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// ---- Registration and shapes ----

absl::Status InterleaveShape(InferenceContext* c) {
  ShapeHandle small;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 4, &small));
  for (int i = 1; i < 4; ++i) TF_RETURN_IF_ERROR(c->Merge(small, c->input(i), &small));
  ShapeHandle large = small;
  for (int axis : {1, 2}) {
    DimensionHandle doubled;
    TF_RETURN_IF_ERROR(c->Multiply(c->Dim(small, axis), 2, &doubled));
    TF_RETURN_IF_ERROR(c->ReplaceDim(large, axis, doubled, &large));
  }
  c->set_output(0, large);
  return absl::OkStatus();
}

absl::Status DeinterleaveShape(InferenceContext* c) {
  ShapeHandle large;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 4, &large));
  ShapeHandle small = large;
  for (int axis : {1, 2}) {
    DimensionHandle half;
    TF_RETURN_IF_ERROR(c->Divide(c->Dim(large, axis), 2, /*evenly_divisible=*/true, &half));
    TF_RETURN_IF_ERROR(c->ReplaceDim(small, axis, half, &small));
  }
  for (int i = 0; i < 4; ++i) c->set_output(i, small);
  return absl::OkStatus();
}

REGISTER_OP("KerasDepth>Interleave")
    .Input("a: T")
    .Input("b: T")
    .Input("c: T")
    .Input("d: T")
    .Output("large: T")
    .Attr("T: {half, bfloat16, float, double, int32, uint8}")
    .SetShapeFn(InterleaveShape)
    .Doc(R"doc(
Four maps (N, H, W, C) become one (N, 2H, 2W, C).

a goes to even rows and even columns, b to even rows and odd columns, c to odd rows and even
columns, d to odd rows and odd columns.
)doc");

REGISTER_OP("KerasDepth>Deinterleave")
    .Input("large: T")
    .Output("a: T")
    .Output("b: T")
    .Output("c: T")
    .Output("d: T")
    .Attr("T: {half, bfloat16, float, double, int32, uint8}")
    .SetShapeFn(DeinterleaveShape)
    .Doc("The inverse of Interleave, and its gradient: one map (N, 2H, 2W, C) becomes four.");

// ---- CPU ----

// How one word is copied. A size known to the compiler makes it one load and one store.
template <int kSize>
struct Word {
  static constexpr int kBytes = kSize;
  static void Copy(char* to, const char* from) { std::memcpy(to, from, kBytes); }
};

#ifdef __SSE2__
// Stores past the caches: an ordinary store first reads what it overwrites. Pays for large maps
// (1.5 times as fast, 1.3 times with a relu after it), costs where the map would stay in the caches.
constexpr int64_t kStreamedBytes = int64_t{16} << 20;

struct StreamedWord {
  static constexpr int kBytes = 16;
  static void Copy(char* to, const char* from) {  // `to` is aligned: TensorFlow's outputs are
    _mm_stream_si128(reinterpret_cast<__m128i*>(to),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
};
#endif

// Moves rows [begin, end) of the large map, from or to the small ones.
template <typename Word, bool kInterleave>
void MoveRows(const Geometry& geometry, char* const small[4], char* large, int64_t begin,
              int64_t end) {
  const int64_t pixel = geometry.pixel_bytes;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t at = row / 2 * geometry.width * pixel;
    char* left = small[row % 2 ? 2 : 0] + at;
    char* right = small[row % 2 ? 3 : 1] + at;
    char* pair = large + row * 2 * geometry.width * pixel;
    for (int64_t column = 0; column < geometry.width; ++column) {
      for (int64_t i = 0; i < pixel; i += Word::kBytes) {
        kInterleave ? Word::Copy(pair + i, left + i) : Word::Copy(left + i, pair + i);
      }
      pair += pixel, left += pixel;
      for (int64_t i = 0; i < pixel; i += Word::kBytes) {
        kInterleave ? Word::Copy(pair + i, right + i) : Word::Copy(right + i, pair + i);
      }
      pair += pixel, right += pixel;
    }
  }
#ifdef __SSE2__
  _mm_sfence();  // streamed stores are seen by other threads from here on
#endif
}

template <bool kInterleave>
void RunOnCpu(OpKernelContext* context, const Geometry& geometry, char* const small[4],
              char* large) {
  const int64_t pixel = geometry.pixel_bytes;
  const int64_t rows = 2 * geometry.rows, row_bytes = 2 * geometry.width * pixel;
  auto move = pixel % 16 == 0  ? MoveRows<Word<16>, kInterleave>
              : pixel % 8 == 0 ? MoveRows<Word<8>, kInterleave>
              : pixel % 4 == 0 ? MoveRows<Word<4>, kInterleave>
              : pixel % 2 == 0 ? MoveRows<Word<2>, kInterleave>
                               : MoveRows<Word<1>, kInterleave>;
#ifdef __SSE2__
  if (pixel % 16 == 0 && rows * row_bytes >= kStreamedBytes) {
    move = MoveRows<StreamedWord, kInterleave>;
  }
#endif
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(
      rows, tsl::thread::ThreadPool::SchedulingParams::Adaptive(/*cycles a row*/ row_bytes / 2),
      [&](int64_t begin, int64_t end) { move(geometry, small, large, begin, end); });
}

// ---- GPU ----

#ifdef KERAS_DEPTH_CUDA
template <bool kInterleave>
void RunOnGpu(OpKernelContext* context, const Geometry& geometry, char* const small[4],
              char* large) {
  void* stream = context->op_device_context()->stream()->platform_specific_handle().stream;
  const auto launch = kInterleave ? LaunchInterleave : LaunchDeinterleave;
  const char* const error = launch(geometry, small, large, stream);
  OP_REQUIRES(context, error == nullptr,
              tensorflow::errors::Internal("the interleave kernel did not start: ", error));
}
#endif

// ---- Both ----

using Run = void (*)(OpKernelContext*, const Geometry&, char* const small[4], char* large);

char* Bytes(const Tensor& tensor) { return static_cast<char*>(tensor.data()); }

void RunUnlessEmpty(OpKernelContext* context, Run run, const Tensor* const small[4],
                    const Tensor& large) {
  if (large.NumElements() == 0) return;
  const Tensor& a = *small[0];
  const Geometry geometry = {a.dim_size(0) * a.dim_size(1), a.dim_size(2),
                             a.dim_size(3) * tensorflow::DataTypeSize(a.dtype())};
  char* const maps[4] = {Bytes(a), Bytes(*small[1]), Bytes(*small[2]), Bytes(*small[3])};
  run(context, geometry, maps, Bytes(large));
}

template <Run kRun>
class InterleaveOp : public OpKernel {
 public:
  explicit InterleaveOp(OpKernelConstruction* construction) : OpKernel(construction) {}

  void Compute(OpKernelContext* context) override {
    const Tensor* small[4];
    for (int i = 0; i < 4; ++i) small[i] = &context->input(i);
    TensorShape shape = small[0]->shape();
    bool equal = shape.dims() == 4;
    for (int i = 1; i < 4; ++i) equal = equal && small[i]->shape() == shape;
    OP_REQUIRES(context, equal,
                InvalidArgument("interleave takes four maps of one shape (N, H, W, C), not ",
                                shape.DebugString(), ", ", small[1]->shape().DebugString(), ", ",
                                small[2]->shape().DebugString(), ", ",
                                small[3]->shape().DebugString()));
    for (int axis : {1, 2}) {
      OP_REQUIRES_OK(context, shape.SetDimWithStatus(axis, 2 * shape.dim_size(axis)));
    }
    Tensor* large;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &large));
    RunUnlessEmpty(context, kRun, small, *large);
  }
};

template <Run kRun>
class DeinterleaveOp : public OpKernel {
 public:
  explicit DeinterleaveOp(OpKernelConstruction* construction) : OpKernel(construction) {}

  void Compute(OpKernelContext* context) override {
    const Tensor& large = context->input(0);
    TensorShape shape = large.shape();
    OP_REQUIRES(context,
                shape.dims() == 4 && shape.dim_size(1) % 2 == 0 && shape.dim_size(2) % 2 == 0,
                InvalidArgument("deinterleave takes one map (N, 2H, 2W, C), not ",
                                shape.DebugString()));
    for (int axis : {1, 2}) shape.set_dim(axis, shape.dim_size(axis) / 2);
    Tensor* outputs[4];
    for (int i = 0; i < 4; ++i) {
      OP_REQUIRES_OK(context, context->allocate_output(i, shape, &outputs[i]));
    }
    const Tensor* const small[4] = {outputs[0], outputs[1], outputs[2], outputs[3]};
    RunUnlessEmpty(context, kRun, small, large);
  }
};

#define REGISTER(DEVICE, RUN, T)                                                        \
  REGISTER_KERNEL_BUILDER(                                                              \
      Name("KerasDepth>Interleave").Device(tensorflow::DEVICE).TypeConstraint<T>("T"),  \
      InterleaveOp<RUN<true>>);                                                         \
  REGISTER_KERNEL_BUILDER(                                                              \
      Name("KerasDepth>Deinterleave").Device(tensorflow::DEVICE).TypeConstraint<T>("T"), \
      DeinterleaveOp<RUN<false>>);
#define REGISTER_DTYPES(DEVICE, RUN)            \
  REGISTER(DEVICE, RUN, Eigen::half)            \
  REGISTER(DEVICE, RUN, tensorflow::bfloat16)   \
  REGISTER(DEVICE, RUN, float)                  \
  REGISTER(DEVICE, RUN, double)                 \
  REGISTER(DEVICE, RUN, int32_t)                \
  REGISTER(DEVICE, RUN, uint8_t)

REGISTER_DTYPES(DEVICE_CPU, RunOnCpu)
#ifdef KERAS_DEPTH_CUDA
REGISTER_DTYPES(DEVICE_GPU, RunOnGpu)
#endif

}  // namespace
}  // namespace keras_depth
