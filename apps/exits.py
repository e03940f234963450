"""Where a router leads outside: its gateways as its document says them, the first of them first."""
from controller.types import Record


def exits(router):
    """What is said of each gateway: network_id, enable_snat, external_fixed_ips. Older documents say only the first."""
    if router.external_gateways:
        return router.external_gateways
    return (router.external_gateway_info,) if router.external_gateway_info else ()


def exit_to(router, network_id):
    """What is said of the gateway to a network; an empty record if there is none."""
    return next((one for one in exits(router) if one.network_id == network_id), Record())


def rank(router, network_id):
    """The place of the gateway to a network among the router's; those that it does not say come last."""
    return next((place for place, one in enumerate(exits(router)) if one.network_id == network_id), len(exits(router)))
