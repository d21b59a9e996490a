// NOT TensorRT: a stand-in for libnvinfer.so.8.6.1 and libnvinfer_plugin.so.8.6.1 that builds no
// engine. It answers the questions that TensorFlow 2.17.1 asks before it converts a graph: which
// version is this, and which plugins are there (none). With it TensorFlow's own segmenter and
// operator validators run on a machine without TensorRT or a GPU. For tests alone.

#include <cstdint>

namespace {

// The virtual functions of nvinfer1::IPluginRegistry of TensorRT 8, in its order.
struct PluginRegistry {
  virtual bool registerCreator(void*, const char*) noexcept { return true; }
  virtual void* const* getPluginCreatorList(int32_t* count) const noexcept {
    *count = 0;
    return nullptr;
  }
  virtual void* getPluginCreator(const char*, const char*, const char*) noexcept {
    return nullptr;
  }
  virtual ~PluginRegistry() noexcept = default;
  virtual void setErrorRecorder(void*) noexcept {}
  virtual void* getErrorRecorder() const noexcept { return nullptr; }
  virtual bool deregisterCreator(const void*) noexcept { return true; }
};

PluginRegistry registry;

}  // namespace

extern "C" {
int32_t getInferLibVersion() noexcept { return 8601; }
void* getPluginRegistry() noexcept { return &registry; }
void* getBuilderPluginRegistry(int32_t) noexcept { return &registry; }
bool initLibNvInferPlugins(void*, const char*) noexcept { return true; }
}
