"""The payments, in Python: grpcio and protobuf, nothing else. Nothing here knows of workflows."""

import os
import subprocess
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# The contract is read as it is, without generated code.
described = subprocess.run(
    ["buf", "build", ".", "--path", "proto/payment", "--as-file-descriptor-set", "-o", "-"], check=True, stdout=subprocess.PIPE
).stdout
pool = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(described).file:
    pool.Add(file)
service = pool.FindServiceByName("payment.v1.PaymentService")


def message(descriptor):
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


charges = {}


def charge(request, context):
    if request.order_id not in charges:
        if request.cents > 100_000:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the card does not cover it")
        charges[request.order_id] = f"c-{request.order_id}"
        print(f"charged {request.cents} for {request.order_id}", flush=True)
    return message(service.methods_by_name["Charge"].output_type)(charge_id=charges[request.order_id])


def refund(request, context):
    if charges.pop(request.order_id, None) is not None:
        print(f"refunded {request.order_id}", flush=True)
    return message(service.methods_by_name["Refund"].output_type)()


def handler(name, answer):
    method = service.methods_by_name[name]
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=message(method.input_type).FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers(
    [
        grpc.method_handlers_generic_handler(
            "payment.v1.PaymentService", {"Charge": handler("Charge", charge), "Refund": handler("Refund", refund)}
        )
    ]
)
address = f"127.0.0.1:{os.environ['PORT']}"
server.add_insecure_port(address)
server.start()
print(f"payment listens on {address}", flush=True)
server.wait_for_termination()
