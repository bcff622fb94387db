"""The Open Inference Protocol over gRPC: tensors as messages, typed or raw, to those of `oip` and back."""

from __future__ import annotations

from typing import Any

from shelfwise.serve import oip, tensors
from shelfwise.serve.limits import Limits
from shelfwise.serve.proto.inference import grpc_predict_v2_pb2 as pb
from shelfwise.serve.refusal import RefusedError, invalid
from shelfwise.serve.rpc import unary
from shelfwise.serve.service import Service

_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


class InferenceMethods:
    """`inference.GRPCInferenceService`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handlers(self) -> dict[str, Any]:
        """The methods by name."""
        work = {
            "ServerLive": self.server_live, "ServerReady": self.server_ready, "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata, "ModelMetadata": self.model_metadata,
            "ModelInfer": self.model_infer,
        }  # fmt: skip
        return {
            name: unary(self._service, method, getattr(pb, f"{name}Request"), getattr(pb, f"{name}Response"))
            for name, method in work.items()
        }

    async def server_live(self, message: Any, context: Any) -> Any:  # noqa: ANN401 - types of protobuf
        """Whether the process lives."""
        return pb.ServerLiveResponse(live=True)

    async def server_ready(self, message: Any, context: Any) -> Any:  # noqa: ANN401
        """Whether requests should be sent here."""
        return pb.ServerReadyResponse(ready=self._service.ready)

    async def model_ready(self, message: Any, context: Any) -> Any:  # noqa: ANN401
        """Whether a model answers, in the asked version if one is named."""
        try:
            oip.check_version(self._service.models.get(message.name), message.version)
        except RefusedError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=self._service.ready)

    async def server_metadata(self, message: Any, context: Any) -> Any:  # noqa: ANN401
        """About the server."""
        return pb.ServerMetadataResponse(**oip.server_metadata())

    async def model_metadata(self, message: Any, context: Any) -> Any:  # noqa: ANN401
        """About a model: its inputs and outputs."""
        loaded = self._service.models.get(message.name)
        oip.check_version(loaded, message.version)
        about = oip.model_metadata(loaded)
        kind = pb.ModelMetadataResponse.TensorMetadata
        tensors = {side: [kind(**tensor) for tensor in about[side]] for side in ("inputs", "outputs")}
        return pb.ModelMetadataResponse(**(about | tensors))

    async def model_infer(self, message: Any, context: Any) -> Any:  # noqa: ANN401
        """Predict products that came as tensors."""
        oip.check_version(self._service.models.get(message.model_name), message.model_version)
        raw = len(message.raw_input_contents) > 0
        asked = oip.InferRequest(
            _inputs(message, raw, self._service.limits), message.id, _parameters(message.parameters),
            [oip.Wanted(one.name) for one in message.outputs],
        )  # fmt: skip
        request = oip.to_request(message.model_name, asked, self._service.limits)
        answer = await self._service.predict(request, context.time_remaining())
        response = pb.ModelInferResponse(
            model_name=answer.model.name, model_version=answer.model.version, id=message.id
        )
        for tensor in oip.to_outputs(answer, asked.outputs):
            output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            data: Any = tensor.data
            if raw:
                response.raw_output_contents.append(tensors.pack(tensor.datatype, data))
            else:
                data = [one.encode() for one in data] if tensor.datatype == "BYTES" else data
                getattr(output.contents, _CONTENTS[tensor.datatype]).extend(data)
        return response


def _inputs(message: Any, raw: bool, limits: Limits) -> list[oip.Tensor]:  # noqa: ANN401
    if raw and len(message.raw_input_contents) != len(message.inputs):
        raise invalid("inputs", "give raw_input_contents for each of the inputs, or for none")
    found = []
    for place, one in enumerate(message.inputs):
        tensors.check_type(one.name, one.datatype)
        if raw:
            count = oip.check_shape(one.name, one.shape, limits)
            data = tensors.unpack(one.name, one.datatype, message.raw_input_contents[place], count)
        elif one.datatype == "BYTES":
            data = tensors.texts(one.name, one.contents.bytes_contents)
        elif one.datatype in _CONTENTS:
            data = list(getattr(one.contents, _CONTENTS[one.datatype]))
        else:
            raise invalid("inputs", f"input {one.name[:60]!r}: {one.datatype} goes into raw_input_contents")
        found.append(oip.Tensor(one.name, one.datatype, list(one.shape), data))
    return found


def _parameters(given: Any) -> dict[str, Any]:  # noqa: ANN401 - a map of protobuf
    chosen = {name: value.WhichOneof("parameter_choice") for name, value in given.items()}
    return {name: getattr(given[name], kind) for name, kind in chosen.items() if kind is not None}
