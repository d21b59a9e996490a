"""TensorFlow Serving's gRPC messages, as far as a depth network has to do with them.

Its own Python modules import TensorFlow, which takes seconds and which an ONNX or a LiteRT network
does not need. Here the same messages are built from the fields below: names, numbers and types are
those of tensorflow_serving/apis/*.proto and of tensorflow/core (framework, protobuf), so that bytes
and JSON are the same. Fields that are not listed are kept as unknown ones, and ignored.

They are in a pool of their own: a process may load TensorFlow's as well.
"""

import re
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_ENUMS = {
    "tensorflow.DataType": {"DT_INVALID": 0, "DT_FLOAT": 1, "DT_UINT8": 4, "DT_STRING": 7},
    "tensorflow.error.Code": {"OK": 0},
    "tensorflow.serving.State": {"UNKNOWN": 0, "AVAILABLE": 30},
}
# A field: "name number type", or "name number type/type" for a map. "*" marks a repeated field, and
# "?" one of several of which a message has one.
_MESSAGES = {
    "tensorflow.Dim": ["size 1 int64", "name 2 string"],
    "tensorflow.TensorShapeProto": ["dim 2 *tensorflow.Dim", "unknown_rank 3 bool"],
    "tensorflow.TensorProto": [
        "dtype 1 tensorflow.DataType",
        "tensor_shape 2 tensorflow.TensorShapeProto",
        "tensor_content 4 bytes",
        "float_val 5 *float",
        "int_val 7 *int32",
        "string_val 8 *bytes",
    ],
    "tensorflow.TensorInfo": [
        "name 1 ?string",
        "dtype 2 tensorflow.DataType",
        "tensor_shape 3 tensorflow.TensorShapeProto",
    ],
    "tensorflow.SignatureDef": [
        "inputs 1 string/tensorflow.TensorInfo",
        "outputs 2 string/tensorflow.TensorInfo",
        "method_name 3 string",
        "defaults 4 string/tensorflow.TensorProto",
    ],
    "tensorflow.serving.ModelSpec": [
        "name 1 string",
        "version 2 ?google.protobuf.Int64Value",
        "signature_name 3 string",
        "version_label 4 ?string",
    ],
    "tensorflow.serving.PredictRequest": [
        "model_spec 1 tensorflow.serving.ModelSpec",
        "inputs 2 string/tensorflow.TensorProto",
    ],
    "tensorflow.serving.PredictResponse": [
        "outputs 1 string/tensorflow.TensorProto",
        "model_spec 2 tensorflow.serving.ModelSpec",
    ],
    "tensorflow.serving.SignatureDefMap": ["signature_def 1 string/tensorflow.SignatureDef"],
    "tensorflow.serving.GetModelMetadataRequest": ["model_spec 1 tensorflow.serving.ModelSpec"],
    "tensorflow.serving.GetModelMetadataResponse": [
        "model_spec 1 tensorflow.serving.ModelSpec",
        "metadata 2 string/google.protobuf.Any",
    ],
    "tensorflow.serving.StatusProto": [
        "error_code 1 tensorflow.error.Code",
        "error_message 2 string",
    ],
    "tensorflow.serving.ModelVersionStatus": [
        "version 1 int64",
        "state 2 tensorflow.serving.State",
        "status 3 tensorflow.serving.StatusProto",
    ],
    "tensorflow.serving.GetModelStatusRequest": ["model_spec 1 tensorflow.serving.ModelSpec"],
    "tensorflow.serving.GetModelStatusResponse": [
        "model_version_status 1 *tensorflow.serving.ModelVersionStatus"
    ],
}


def _build() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    packages: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for package in dict.fromkeys(name.rpartition(".")[0] for name in (*_ENUMS, *_MESSAGES)):
        # tensorflow.error, tensorflow, tensorflow.serving: each may use those before it.
        packages[package] = descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3"
        )
    for name, values in _ENUMS.items():
        package, _, short = name.rpartition(".")
        enum = packages[package].enum_type.add(name=short)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        package, _, short = name.rpartition(".")
        message = packages[package].message_type.add(name=short)
        for field in fields:
            _add_field(message, name, field)
    known = [any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR]
    for file in known:
        pool.AddSerializedFile(file.serialized_pb)
    names = [file.name for file in known]
    for package in ("tensorflow", "tensorflow.error", "tensorflow.serving"):
        packages[package].dependency.extend(names)
        pool.AddSerializedFile(packages[package].SerializeToString())
        names.append(packages[package].name)
    return pool


def _add_field(message: descriptor_pb2.DescriptorProto, full_name: str, text: str) -> None:
    parts = re.fullmatch(r"(\w+) (\d+) ([*?]?)([\w.]+)(?:/([\w.]+))?", text)
    assert parts, text
    name, number, mark, kind, value = parts.groups()
    field = message.field.add(name=name, number=int(number), json_name=name)
    repeated = mark == "*" or value
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if mark == "?":
        if not message.oneof_decl:
            message.oneof_decl.add(name="choice")
        field.oneof_index = 0
    if value:  # a map is a list of messages of a key and a value
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, full_name, f"key 1 {kind}")
        _add_field(entry, full_name, f"value 2 {value}")
        kind = f"{full_name}.{entry.name}"
    if "." not in kind:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
        return
    field.type = field.TYPE_ENUM if kind in _ENUMS else field.TYPE_MESSAGE
    field.type_name = f".{kind}"


POOL = _build()
DATA_TYPES = _ENUMS["tensorflow.DataType"]
AVAILABLE = _ENUMS["tensorflow.serving.State"]["AVAILABLE"]


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


TensorProto = _class("tensorflow.TensorProto")
ModelSpec = _class("tensorflow.serving.ModelSpec")
PredictRequest = _class("tensorflow.serving.PredictRequest")
PredictResponse = _class("tensorflow.serving.PredictResponse")
SignatureDefMap = _class("tensorflow.serving.SignatureDefMap")
GetModelMetadataRequest = _class("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _class("tensorflow.serving.GetModelMetadataResponse")
GetModelStatusRequest = _class("tensorflow.serving.GetModelStatusRequest")
GetModelStatusResponse = _class("tensorflow.serving.GetModelStatusResponse")
