"""Appends scale and shift to the graph of an exported network, in its own format.

The former output goes through scale * depth + shift, 0 or more, where there is depth: in float32
also where the network is in half precision or 8 bits, since all of them write float32. ONNX is
edited by its Python package, LiteRT by the schema that its runtime ships; a SavedModel is called by
another.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth.encodings import calibrate
from keras_depth.errors import InputError, check_installed
from keras_depth.layers.interleave import standard_operators
from keras_depth.predict.exported import MODEL_FILES

_SAVED_MODEL = ("saved_model.pb", "fingerprint.pb", "variables/", "assets/", "saved_model/")


def edit(format: str, old: Path, new: Path, scale: float, shift: float) -> dict[str, Any]:
    """Writes the network of one folder, with scale and shift, into another.

    Args:
        format: of the network, a key of `MODEL_FILES`.
        old: the folder of the exported network.
        new: an empty folder.
        scale, shift: see `encodings.calibrate`.

    Returns:
        What changes in its export.json.

    Raises:
        InputError: the graph has an output that it should not have, or the package that edits it
            is not installed.
    """
    file = Path(MODEL_FILES[format])
    if file.suffix == ".onnx":
        return _edit_onnx(old / file, new / file, scale, shift)
    if file.suffix == ".tflite":
        return _edit_litert(old / file, new / file, scale, shift)
    return _edit_saved_model((old / file).parent, (new / file).parent, scale, shift)


def is_graph(format: str, name: str) -> bool:
    """Tells whether a file of an exported network, by its path there, is a part of its graph."""
    return name == MODEL_FILES[format] or name.startswith(_SAVED_MODEL)


def _edit_onnx(old: Path, new: Path, scale: float, shift: float) -> dict[str, Any]:
    check_installed("onnx", "onnx", "onnxruntime")
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(old))
    graph = model.graph
    taken = {name for node in graph.node for name in (node.name, *node.input, *node.output)}
    taken.update(stored.name for stored in graph.initializer)

    def unused(name: str) -> str:
        """Returns a name that the graph has not: it may have been calibrated before."""
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    def constant(name: str, value: float) -> str:
        name = unused(f"calibration/{name}")
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name

    def append(operator: str, inputs: Sequence[str], output: str | None = None) -> str:
        name = unused(f"calibration/{operator}")
        output = output or name
        graph.node.append(helper.make_node(operator, inputs, [output], name))
        return output

    network = unused("calibration/network")
    _rename(graph, "depth", network)
    factor = constant("scale", scale)
    if shift:
        none = constant("none", 0.0)
        scaled = append("Mul", [network, factor])
        metres = append("Relu", [append("Add", [scaled, constant("shift", shift)])])
        append("Where", [append("Greater", [network, none]), metres, none], "depth")
    else:
        append("Mul", [network, factor], "depth")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(new))
    operators = [node.op_type for node in graph.node]
    return {"nodes": len(operators), "transposes": operators.count("Transpose")}


def _rename(graph: Any, old: str, new: str) -> None:
    """Renames a value of a graph wherever a node writes or reads it."""
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new


def _edit_saved_model(old: Path, new: Path, scale: float, shift: float) -> dict[str, Any]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(old))
    network = loaded.signatures["serving_default"]
    _, inputs = network.structured_input_signature
    image = inputs["image"]

    @tf.function(
        autograph=False, input_signature=[tf.TensorSpec(image.shape, image.dtype, "image")]
    )
    def depth(image):
        with standard_operators():
            return {"depth": calibrate(network(image=image)["depth"], scale, shift)}

    module = tf.Module()
    module.weights = list(getattr(loaded, "weights", ()))  # a frozen one has constants
    tf.saved_model.save(
        module,
        str(new),
        signatures=depth.get_concrete_function(),
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
    return {}


def _edit_litert(old: Path, new: Path, scale: float, shift: float) -> dict[str, Any]:
    check_installed("litert", "ai_edge_litert", "flatbuffers")
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(old.read_bytes(), 0)
    graph = _LiteRTGraph(model, old)
    network = graph.output
    factor = graph.constant("scale", scale)
    if shift:
        operator, none = schema.BuiltinOperator, graph.constant("none", 0.0)
        scaled = graph.append(operator.MUL, [network, factor], schema.MulOptionsT())
        relu = schema.AddOptionsT()
        relu.fusedActivationFunction = schema.ActivationFunctionType.RELU
        offset = graph.constant("shift", shift)
        metres = graph.append(operator.ADD, [scaled, offset], relu)
        known = graph.append(
            operator.GREATER, [network, none], schema.GreaterOptionsT(), schema.TensorType.BOOL
        )
        graph.append(operator.SELECT_V2, [known, metres, none], schema.SelectV2OptionsT())
    else:
        graph.append(schema.BuiltinOperator.MUL, [network, factor], schema.MulOptionsT())
    builder = flatbuffers.Builder(old.stat().st_size + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    new.write_bytes(builder.Output())
    return {}


class _LiteRTGraph:
    """Appends operators to a LiteRT model; the last one's result becomes its output.

    Args:
        model: the unpacked file.
        file: its name, for messages.

    Attributes:
        output: the index of the tensor that is the output.
    """

    def __init__(self, model: Any, file: Path):
        from ai_edge_litert import schema_py_generated as schema

        self._schema, self._model = schema, model
        self._graph = model.subgraphs[0]
        (self.output,) = self._graph.outputs
        if self._graph.tensors[self.output].type != schema.TensorType.FLOAT32:
            raise InputError(f"{file}: its depth is not float32; calibrate the run, and export it")

    def constant(self, name: str, value: float) -> int:
        """Adds a constant; returns its tensor's index."""
        content = self._schema.BufferT()
        content.data = np.frombuffer(np.float32(value).tobytes(), np.uint8)
        self._model.buffers.append(content)
        return self._add_tensor(name, [1], self._schema.TensorType.FLOAT32, buffer=-1)

    def append(
        self, code: int, inputs: Sequence[int], options: Any, type: int | None = None
    ) -> int:
        """Adds an operator; returns the index of its result, which becomes the output.

        Args:
            code: one of `BuiltinOperator`.
            inputs: indices of tensors, the first of the shape of the result.
            options: of the operator.
            type: of the result; None: float32.
        """
        schema = self._schema
        name = options.__class__.__name__.removesuffix("OptionsT")
        shape = self._graph.tensors[self.output].shape
        kind = schema.TensorType.FLOAT32 if type is None else type
        result = self._add_tensor(name, shape, kind, buffer=0)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._find_code(code)
        operator.inputs, operator.outputs = list(inputs), [result]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{name}Options")
        operator.builtinOptions = options
        self._graph.operators.append(operator)
        self._set_output(result)
        return result

    def _add_tensor(self, name: str, shape: Any, type: int, buffer: int) -> int:
        tensor = self._schema.TensorT()
        index = len(self._graph.tensors)
        tensor.name = f"calibration/{name}/{index}".encode()
        tensor.shape, tensor.type = np.array(shape, np.int32), type
        # Buffer 0 is empty: the runtime fills the tensor.
        tensor.buffer = buffer % len(self._model.buffers)
        self._graph.tensors.append(tensor)
        return index

    def _find_code(self, code: int) -> int:
        """Returns the index of an operator's code, which is added if there is none."""
        for index, known in enumerate(self._model.operatorCodes):
            if known.builtinCode == code:
                return index
        added = self._schema.OperatorCodeT()
        added.builtinCode = code
        added.deprecatedBuiltinCode = min(code, 127)
        added.version = 1
        self._model.operatorCodes.append(added)
        return len(self._model.operatorCodes) - 1

    def _set_output(self, tensor: int) -> None:
        self.output = tensor
        self._graph.outputs = [tensor]
        for signature in self._model.signatureDefs:
            (depth,) = signature.outputs
            depth.tensorIndex = tensor
