"""The simple route over HTTP: one request joins two subnets, one parts them."""
from tests.kit.served import served


def test_a_route_is_made_and_removed_in_one_call():
    with served(tokens=True) as api:
        ann, bob = api.client("ann"), api.client("bob")
        ends = {}
        for number, name in enumerate("ab", 1):
            network = ann.create("network")
            subnet = ann.create("subnet", network_id=network["id"], ip_version=4, cidr=f"10.{number}.0.0/24")
            ends[f"subnet_{name}_id"] = subnet["id"]
        made = ann.create("route", name="a to b", **ends)
        assert {name: made[name] for name in ends} == ends and made["project_id"] == "one"
        router = ann.get(f"/v2.0/routers/{made['router_id']}")["router"]
        assert (router["status"], router["description"], "paired" in router) == ("ACTIVE", "Made of routes", False)
        ports = ann.get(f"/v2.0/ports?device_id={router['id']}")["ports"]
        assert {port["fixed_ips"][0]["subnet_id"] for port in ports} == set(ends.values())
        again = ann.ask("POST", "/v2.0/routes", {"route": ends})
        assert (again.status, again.error["type"]) == (409, "RouteExists")
        assert bob.ask("POST", "/v2.0/routes", {"route": ends}).status == 404
        assert bob.ask("GET", f"/v2.0/routes/{made['id']}").status == 404
        assert ann.get("/v2.0/routes?subnet_a_id=" + ends["subnet_a_id"])["routes"] == [made]
        assert ann.ask("DELETE", f"/v2.0/subnets/{ends['subnet_a_id']}").status == 409
        assert ann.ask("DELETE", f"/v2.0/routers/{router['id']}").status == 409
        assert ann.ask("DELETE", f"/v2.0/routes/{made['id']}").status == 204
        assert ann.get("/v2.0/routers")["routers"] == ann.get("/v2.0/ports")["ports"] == []
