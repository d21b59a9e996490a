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

// Moves rows [begin, end) of the large map from or to the small ones, in words of kBytes. Ordinary
// stores: stores past the caches won nothing, and lost on memory that is touched for the first time.
template <int kBytes, bool kInterleave>
void MoveRows(const Geometry& geometry, char* const small[4], char* large, int64_t begin,
              int64_t end) {
  const int64_t pixel = geometry.pixel_bytes;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t at = row / 2 * geometry.width * pixel;
    char* left = small[row % 2 ? 2 : 0] + at;
    char* right = small[row % 2 ? 3 : 1] + at;
    char* pair = large + row * 2 * geometry.width * pixel;
    for (int64_t column = 0; column < geometry.width; ++column) {
      for (int64_t i = 0; i < pixel; i += kBytes) {
        std::memcpy(kInterleave ? pair + i : left + i, kInterleave ? left + i : pair + i, kBytes);
      }
      pair += pixel, left += pixel;
      for (int64_t i = 0; i < pixel; i += kBytes) {
        std::memcpy(kInterleave ? pair + i : right + i, kInterleave ? right + i : pair + i, kBytes);
      }
      pair += pixel, right += pixel;
    }
  }
}

template <bool kInterleave>
void RunOnCpu(OpKernelContext* context, const Geometry& geometry, char* const small[4],
              char* large) {
  const int64_t pixel = geometry.pixel_bytes;
  const auto move = pixel % 16 == 0  ? MoveRows<16, kInterleave>
                    : pixel % 8 == 0 ? MoveRows<8, kInterleave>
                    : pixel % 4 == 0 ? MoveRows<4, kInterleave>
                    : pixel % 2 == 0 ? MoveRows<2, kInterleave>
                                     : MoveRows<1, kInterleave>;
  const int64_t row_bytes = 2 * geometry.width * pixel;
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(
      2 * geometry.rows,
      tsl::thread::ThreadPool::SchedulingParams::Adaptive(/*cycles a row*/ row_bytes / 2),
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
