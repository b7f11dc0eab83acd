"""What stands between strangers and the server: keys, rates, sizes, hosts and origins, headers, logs and metrics.

Each file has one middleware, plain ASGI so that streams flow, that works by itself; `stack.py` puts them in order.
"""
