"""How often one client may ask."""

from deixis.serving.guard.keys import Keys, KeysMiddleware, new_key
from deixis.serving.guard.rate import RateMiddleware, Rates
from tests.serving.guard.small_app import application, error


def test_beyond_the_rate_it_is_429_until_a_request_may_pass():
    now = [0.0]
    rates = Rates(3, clock=lambda: now[0])
    client = application((RateMiddleware, {"rates": rates, "free_paths": ("/healthz",)}))
    assert [client.get("/owner/a").status_code for _ in range(4)] == [200, 200, 200, 429]
    response = client.get("/owner/a")
    assert error(response, 429) == "expected at most 3 requests a minute, got more; send the next in 20.0 s"
    assert response.headers["Retry-After"] == "20"
    assert client.get("/healthz").status_code == 200
    now[0] = 20.0
    assert [client.get("/owner/a").status_code for _ in range(2)] == [200, 429]


def test_each_key_has_its_own(keys, tmp_path):
    second, line = new_key("cleo")
    keys[1].write_text(f"{keys[1].read_text()}\n{line}\n")
    client = application((KeysMiddleware, {"keys": Keys(keys[1])}), (RateMiddleware, {"rates": Rates(1)}))
    asked = [client.get("/owner/a", headers={"Authorization": f"Bearer {key}"}) for key in (keys[0], second, second)]
    assert [response.status_code for response in asked] == [200, 200, 429]


def test_memory_is_bounded():
    rates = Rates(60, max_clients=100)
    for number in range(10_000):
        rates.wait_s(f"address {number}")
    assert len(rates._buckets) == 100


def test_of_an_ipv6_address_the_network_counts():
    from deixis.serving.guard.rate import client_of

    clients = {client_of({"client": (host, 1)}) for host in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")}
    assert clients == {"address 2001:db8::/64", "address 2001:db8:0:1::/64"}
    assert client_of({}) == "address "
