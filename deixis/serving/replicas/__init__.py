"""The server on a Ray cluster: replicas of the application behind the HTTP proxy of Ray Serve.

    client --> HTTP proxy of Ray Serve, on the head: guards, own paths, retry --> one of the replicas: routes, model

A replica that is lost, with its process or its machine, loses no request: the proxy has the request still, and asks
another one.
"""

APPLICATION, DEPLOYMENT = "deixis", "replica"
"""Names in Ray Serve."""
ROUTE = "x-deixis-route"
"""Header by which a replica tells the proxy which route answered; a response without it is Ray Serve's own."""
