"""Our messages of TensorFlow Serving, beside its own."""

import pytest

pytest.importorskip("tensorflow_serving", reason="the extra dev is not installed")

from google.protobuf import json_format
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import error_codes_pb2, meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    status_pb2,
)

from keras_depth.serve import tf_messages

STOCK = [
    tensor_shape_pb2.TensorShapeProto.Dim,
    tensor_shape_pb2.TensorShapeProto,
    tensor_pb2.TensorProto,
    meta_graph_pb2.TensorInfo,
    meta_graph_pb2.SignatureDef,
    model_pb2.ModelSpec,
    predict_pb2.PredictRequest,
    predict_pb2.PredictResponse,
    get_model_metadata_pb2.SignatureDefMap,
    get_model_metadata_pb2.GetModelMetadataRequest,
    get_model_metadata_pb2.GetModelMetadataResponse,
    status_pb2.StatusProto,
    get_model_status_pb2.ModelVersionStatus,
    get_model_status_pb2.GetModelStatusRequest,
    get_model_status_pb2.GetModelStatusResponse,
]


def kinds(descriptor):
    """Returns what the wire and JSON know of a message's fields."""
    found = {}
    for field in descriptor.fields:
        found[field.name] = (field.number, field.type, field.is_repeated)
        if field.message_type and field.message_type.GetOptions().map_entry:
            found[field.name] += (kinds(field.message_type),)
        elif field.message_type:
            found[field.name] += (field.message_type.name,)
    return found


@pytest.mark.parametrize("stock", STOCK, ids=lambda stock: stock.DESCRIPTOR.name)
def test_fields_are_the_stock_ones(stock):
    name = stock.DESCRIPTOR.full_name.replace("TensorShapeProto.Dim", "Dim")
    ours = kinds(tf_messages.POOL.FindMessageTypeByName(name))
    theirs = kinds(stock.DESCRIPTOR)
    assert ours == {name: theirs[name] for name in ours}


def test_numbers_are_the_stock_ones():
    assert tf_messages.AVAILABLE == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    for name, number in tf_messages.DATA_TYPES.items():
        assert types_pb2.DataType.Value(name) == number
    assert error_codes_pb2.Code.Value("OK") == 0


def test_bytes_and_json_are_the_stock_ones():
    ours = tf_messages.GetModelStatusResponse()
    version = ours.model_version_status.add(version=3, state=tf_messages.AVAILABLE)
    version.status.SetInParent()
    content = ours.SerializeToString()
    theirs = get_model_status_pb2.GetModelStatusResponse.FromString(content)
    assert theirs.SerializeToString() == content

    def document(message):
        return json_format.MessageToDict(
            message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
        )

    assert document(ours) == document(theirs)


def test_a_field_that_is_not_listed_is_passed_on():
    theirs = predict_pb2.PredictRequest(output_filter=["depth"])
    content = theirs.SerializeToString()
    assert tf_messages.PredictRequest.FromString(content).SerializeToString() == content
