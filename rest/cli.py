"""`hadron`: runs the controller, and looks inside a running one.

Exit status: 0 all is well, 1 something was found or failed, 2 the command was wrong.
"""
from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rest import cli_answers, cli_config, cli_events, cli_log, cli_stats, cli_topology
from rest.cli_client import Client, Failed
from rest.cli_pipeline import ascii_only, dot, drawing
from rest.cli_show import Page

URL = "http://127.0.0.1:9696"
FINE, FOUND, WRONG = 0, 1, 2

_EPILOG = """\
environment:
  HADRON_URL     where to ask; default http://127.0.0.1:9696
  HADRON_TOKEN   on whose behalf; a project sees its own, an administrator all
  HADRON_CONFIG  configuration file of `hadron serve`

exit status:
  0 all is well; 1 something was found or failed; 2 the command was wrong

`hadron COMMAND --help` says more about each."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    arguments = parser().parse_args(argv)
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
        return status
    except Failed as error:
        print(f"hadron: {error}", file=sys.stderr)
        return error.code
    except BrokenPipeError:                      # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND
    except KeyboardInterrupt:
        return 130


# (command, what it is, more about it); those that ask a running controller.
_ASKING = (
    ("switches", "the switches: connected, in step, how many entries",
     "STATE: `in step` holds what it should; `reading`, `sending` is getting there; `away` is not connected; `unknown` is "
     "connected and never written; `another's` has another controller as master. ENTRIES is how many it holds; when it "
     "was last read, DRIFT were alien, missing or altered. WAITING are changes not yet sent."),
    ("ports", "the ports: whose, where, in which state",
     "STATUS is DOWN until the port's interface is seen, BUILD until every switch concerned has confirmed, then ACTIVE. "
     "PACKETS went to the controller (DHCP questions)."),
    ("flows", "the flows with names, counters and owners",
     "Text is ovs-ofctl's with the names of tables and registers; # lines say whose a flow is, by which rule, and what "
     "went through it. MISSING, ALTERED and ALIEN mark what is not as it should be."),
    ("why", "why a flow is there: app, rule, objects, who wrote them",
     "An object is a reason if the flow would be gone or another without it: that is tried out."),
    ("audit", "read all switches now, repair them, tell what was wrong",
     "ALIEN entries nobody asked for, MISSING ones are gone, ALTERED ones do something else. Exit status 1 if there were "
     "any, or entries that a switch refuses, rules that failed or contradict each other."),
    ("alarms", "what happened that should not: drift, floods, refusals", "Exit status 1 if there are any."),
    ("doctor", "what is known to be wrong, and how to mend it", "Exit status 1 if anything is BAD; a NOTE is good to know."),
    ("topology", "the switches and the wires between them, drawn",
     "An administrator sees the physical view unless told otherwise, a project the logical one: what it has asked for. "
     "--paths lists what each path costs (the setting path_cost) and has left for circuits; exit status 1 if there is none."),
    ("what-if", "who would be cut off without a link, switch or host",
     "Found on a copy of the graph; nothing is touched. Exit status 1 if anybody would be."),
    ("forget", "let go of a host that will not come back",
     "What was last seen of hosts is remembered. Refused while the host, or its switch, is connected."))


def parser() -> argparse.ArgumentParser:
    """All commands and what they take."""
    whole = argparse.ArgumentParser("hadron", description="Tenant networks on Open vSwitch: run the controller, look inside.",
                                    epilog=_EPILOG, formatter_class=_Wide)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    asking, own = _asking(), {"ports": _ports, "flows": _flows, "why": _why, "audit": _audit, "forget": _forget,
                               "stats": cli_stats.words, "usage": cli_stats.usage_words, "log": cli_log.words, "events": cli_events.words, "topology": cli_topology.words, "what-if": cli_topology.suppositions}

    def add(name: str, run: Callable[[argparse.Namespace], int], what: str, more: str = "") -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}. {more}".strip(),
                                   parents=[] if name in ("serve", "password", "policy") else [asking], formatter_class=_Wide)
        made.set_defaults(run=run, command=name)
        return made

    _serve(add("serve", serve, "run the controller"))
    cli_config.words(add("policy", cli_config.policy, "every rule of who may do what", "As YAML for a policy file (`policy:` of the "
                "configuration), in which any of them may be said anew; marked are those that are."))
    add("password", password, "hash a password for the configuration", "Asks for it twice, or reads a line where the input "
        "is not a terminal. What is printed goes under auth.users.")
    for name, run, what, more in (
            ("stats", cli_stats.stats, "what a port or a network has sent and received",
             "Or what a metering label was counted; in all, or in a period, by steps."),
            ("usage", cli_stats.usage, "what each port and label was counted in a period, for bills",
             "Of the hour that has just ended, unless a period is given."),
            ("log", cli_log.log, "what security groups have refused, and let pass",
             "Of ports that a log is about (`openstack network log create`)."),
            ("events", cli_events.events, "what happens to the objects, and how they do, as it happens",
             "A line for each: its place, what has happened, to what; or what of it is otherwise, as `status`, and how. Goes on "
             "after a break, without gap or repeat.")):
        own[name](add(name, partial(_tell, run), what, more))
    for name, what, more in _ASKING:
        made = add(name, ask, what, more)
        own.get(name, lambda one: None)(made)
    _pipeline(add("pipeline", pipeline, "the packet's path, drawn", "Drawn from the flows that all rules make of an example; "
                  "needs no server unless --url is given."))
    return whole


class _Wide(argparse.RawDescriptionHelpFormatter):
    """Help of 80 columns, whose descriptions are wrapped and whose epilogs are not."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=80)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


def _asking() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    group = common.add_argument_group("asking a running controller")
    group.add_argument("--url", help="where (HADRON_URL, or else http://127.0.0.1:9696)")
    group.add_argument("--token", help="on whose behalf (HADRON_TOKEN)")
    group.add_argument("--cacert", metavar="FILE", default="", help="who signed its certificate, if not a public authority")
    group.add_argument("--json", action="store_true", help="the whole answer as JSON")
    group.add_argument("--wide", action="store_true", help="do not wrap lines")
    return common


def _ports(one: argparse.ArgumentParser) -> None:
    one.add_argument("--network", metavar="NAME|ID", help="only those on this network")
    one.add_argument("--host", metavar="NAME|ID", help="only those on, or bound to, this host")


def _flows(one: argparse.ArgumentParser) -> None:
    one.add_argument("--switch", metavar="ID|HOST", help="all entries of one switch, also those nobody asked for")
    one.add_argument("--port", metavar="NAME|ID", help="flows for one port, wherever they are")
    one.add_argument("--network", metavar="NAME|ID", help="flows for a network and all its ports")
    one.add_argument("--table", metavar="NAME|NUMBER", help="only this table's")
    one.add_argument("--drops", action="store_const", const="true", help="only flows that drop, with their reasons")


def _why(one: argparse.ArgumentParser) -> None:
    one.add_argument("flow", nargs="+", metavar="FLOW", help="a cookie (0x...); a flow's text, from here or from ovs-ofctl "
                     "dump-flows; or the id of an object")
    one.add_argument("--switch", metavar="ID|HOST", help="only as it is on this switch")


def _forget(one: argparse.ArgumentParser) -> None:
    one.add_argument("host", metavar="HOST", help="its id or name; or the id of a switch that is on no host")
    one.add_argument("--certificate", action="store_const", const="true", help="only whose certificate it has shown, because "
                     "it will come with another; it may be connected")


def _pipeline(one: argparse.ArgumentParser) -> None:
    one.add_argument("--dot", action="store_true", help="as a graph for Graphviz: hadron pipeline --dot | dot -Tsvg")
    one.add_argument("--brief", action="store_true", help="only what each table asks, and where it leads")
    one.add_argument("--into", metavar="FILE", help="put it between <!-- pipeline --> and <!-- /pipeline --> of a page")
    one.add_argument("--config", metavar="FILE", help="configuration that names more apps")


def _audit(one: argparse.ArgumentParser) -> None:
    one.add_argument("--switch", metavar="ID|HOST", help="only this one")
    one.add_argument("--recompute", action="store_const", const="true",
                     help="also compile everything from nothing and compare")


_LISTENERS = (("rest", 9696, "clients"), ("openflow", 6653, "switches"), ("ovsdb", 6640, "hosts"),
              ("identity", 35357, "those who log in"))


def _serve(one: argparse.ArgumentParser) -> None:
    one.add_argument("--config", metavar="FILE", default=os.environ.get("HADRON_CONFIG"),
                     help="YAML (HADRON_CONFIG); what is given below goes before it")
    one.add_argument("--store", metavar="FILE", help="SQLite file (hadron.db), or `memory`")
    for name, port, what in _LISTENERS:
        one.add_argument(f"--{name}", metavar="ADDR:PORT", help=f"where to listen for {what} (127.0.0.1:{port})")
    for name, _, what in _LISTENERS:
        one.add_argument(f"--insecure-{name}", dest="plain", action="append_const", const=name,
                         help=f"let {what} of other machines come without TLS")
    one.add_argument("--adopt", metavar="DPID", action="append", help="take this switch as ours although no OVSDB tells of it, "
                     "as Mininet's; `all` takes whichever connects")
    one.add_argument("--default-network", metavar="NAME", help="put every port of such switches that no tenant claims into "
                     "this network, so that `mn --controller remote` works with any topology; adopts all switches")
    one.add_argument("--auth", choices=["none"], help="whoever reaches the loopback address is administrator")
    one.add_argument("--settings", action="store_true", help="list all that the configuration can set, and end")
    one.add_argument("--json", action="store_true", help="list it as JSON")


# ---- commands

def _serve_by(wanted: Any) -> None:
    """Run it. Switches may call while the rest of the program is still being loaded."""
    from controller.garbage import loading
    from controller.switch.loop import open_doors
    with open_doors((one.address, one.port) for one in (wanted.openflow, wanted.ovsdb)):
        with loading():
            from controller.main import serve
        serve(wanted)


def serve(arguments: argparse.Namespace) -> int:
    """`hadron serve`."""
    with cli_config.configured():
        from controller import config
        from controller.store import StoreError
        given: dict[str, Any] = {name: getattr(arguments, name) for name in ("store", "adopt", "default_network", *(one[0] for one in _LISTENERS))}
        given["auth"] = {"mode": "none"} if arguments.auth else None
        wanted = config.load(arguments.config, plain=arguments.plain or (), **given)
        if arguments.settings:
            from controller.main import load_apps
            return cli_config.settings(load_apps(wanted.apps), config.entries(), as_json=arguments.json)
        try:
            _serve_by(wanted)
        except (OSError, StoreError) as error:
            raise Failed(f"cannot start: {error}") from None
    return FINE


def password(arguments: argparse.Namespace) -> int:
    """`hadron password`."""
    from rest import passwords
    if sys.stdin.isatty():
        said = getpass.getpass("Password: ")
        if getpass.getpass("The same again: ") != said:
            raise Failed("the two differ", WRONG)
    else:
        said = sys.stdin.readline().rstrip("\r\n")
    if not said or len(said) > passwords.LONGEST:
        raise Failed(f"a password has 1 to {passwords.LONGEST} characters", WRONG)
    print(passwords.hashed(said))
    return FINE


def _client(arguments: argparse.Namespace) -> Client:
    url = arguments.url or os.environ.get("HADRON_URL") or URL
    return Client(url, arguments.token or os.environ.get("HADRON_TOKEN", ""), cacert=arguments.cacert)


def _tell(run: Callable[[argparse.Namespace, Client, Page], int], arguments: argparse.Namespace) -> int:
    return run(arguments, _client(arguments), Page(wide=arguments.wide))


def ask(arguments: argparse.Namespace) -> int:
    """Every command that shows an answer of /inspect."""
    names = ("network", "host", "switch", "port", "table", "drops", "recompute", "view", "link", "paths", "count", "certificate")
    said = {name: getattr(arguments, name, None) for name in names}
    params = {name: ",".join(value) if isinstance(value, list) else value for name, value in said.items()}
    if hasattr(arguments, "flow"):
        params["flow"] = " ".join(" ".join(arguments.flow).split())         # it may have been copied over several lines
    client = _client(arguments)
    answer = (client.post if arguments.command in ("audit", "forget") else client.get)(arguments.command, params)
    show = _SHOWING.get(arguments.command) or getattr(cli_answers, arguments.command)
    if arguments.command == "topology" and not arguments.json:
        return cli_topology.show(answer, Page(wide=arguments.wide), arguments)
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return show(answer, Page(open(os.devnull, "w")))  # noqa: SIM115
    return show(answer, Page(wide=arguments.wide))


_SHOWING: dict[str, Callable[[Any, Page], int]] = {"what-if": cli_topology.suppose, "topology": lambda answer, page: FINE}


def pipeline(arguments: argparse.Namespace) -> int:
    """`hadron pipeline`."""
    if arguments.url:
        found = _client(arguments).get("pipeline")
    else:
        with cli_config.configured():
            from controller import config
            from controller.main import load_apps
            from rest.inspect_pipeline import drawn
            found = drawn(load_apps(config.load(arguments.config).apps))
    if arguments.json:
        print(json.dumps(found, indent=2))
        return FINE
    text = dot(found) if arguments.dot else drawing(found, brief=arguments.brief)
    if arguments.into:
        return _put_into(Path(arguments.into), text)
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") not in ("utf8", "utf16")
    sys.stdout.write(ascii_only(text) if plain else text)
    return FINE


def _put_into(page: Path, text: str) -> int:
    """Replace what a page has between the marks."""
    try:
        before, mark, rest = page.read_text().partition("<!-- pipeline -->\n")
        _, end, after = rest.partition("<!-- /pipeline -->\n")
        if not (mark and end):
            raise Failed(f"{page}: has no <!-- pipeline --> and <!-- /pipeline -->, each on a line of its own")
        page.write_text(f"{before}{mark}```\n{text}```\n{end}{after}")
    except OSError as error:
        raise Failed(f"{page}: {error.strerror}") from None
    return FINE


if __name__ == "__main__":
    sys.exit(main())
