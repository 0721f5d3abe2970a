"""The stock, in Python: grpcio and protobuf, nothing else. Nothing here knows of workflows."""

import os
import random
import subprocess
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# The contract is read as it is, without generated code.
described = subprocess.run(
    ["buf", "build", ".", "--path", "proto/stock", "--as-file-descriptor-set", "-o", "-"], check=True, stdout=subprocess.PIPE
).stdout
pool = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(described).file:
    pool.Add(file)
method = pool.FindServiceByName("stock.v1.StockService").methods_by_name["Count"]


def message(descriptor):
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def count(request, context):
    pieces = random.randint(90, 110)
    print(f"counted {pieces} pieces in {request.site}", flush=True)
    return message(method.output_type)(pieces=pieces)


handler = grpc.unary_unary_rpc_method_handler(
    count,
    request_deserializer=message(method.input_type).FromString,
    response_serializer=lambda response: response.SerializeToString(),
)
server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("stock.v1.StockService", {"Count": handler})])
address = f"127.0.0.1:{os.environ['PORT']}"
server.add_insecure_port(address)
server.start()
print(f"stock listens on {address}", flush=True)
server.wait_for_termination()
