"""The service of the benchmark in Python: grpcio, answers the bytes it is asked. Argument: port."""

import sys
from concurrent import futures

import grpc


def say(request, _context):
    return request


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    handler = grpc.unary_unary_rpc_method_handler(say)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.v1.Echo", {"Say": handler}),))
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    print("READY", flush=True)
    server.wait_for_termination()


main()
