"""One function for each command: its answer as text, and the exit status that it means."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest.cli_show import Page, moment, object_words, size, written_words

FINE, FOUND = 0, 1

Answer = Mapping[str, Any]


def switches(answer: Answer, page: Page) -> int:
    """`hadron switches`."""
    rows = []
    for one in answer["switches"]:
        read = one["last_read"] or {}
        drift = "-" if read.get("first", True) else sum(read[name] for name in ("alien", "missing", "altered"))
        rows.append((one["switch"], one["host"], one["bridge"], one["ovs_version"], one["state"], one["entries"],
                     drift, one["waiting"]))
    page.table(("SWITCH", "HOST", "BRIDGE", "OVS", "STATE", "ENTRIES", "DRIFT", "WAITING"), rows)
    for one in answer["switches"]:
        for port in one["queues"]:
            said = ", ".join(f"{number}: {least}" for number, least in port["queues"].items())
            page.text(f"queues of {one['host']} {port['interface']}, of {port['kbps']} kbit/s: {said}", indent="  ", first="")
    if not rows:
        page.line("no switch yet; on a host: ovs-vsctl set-manager tcp:THIS_MACHINE:6640")
    return FINE


def ports(answer: Answer, page: Page) -> int:
    """`hadron ports`."""
    rows = []
    for one in answer["ports"]:
        network = one["network"] or {}
        row = [f"{one['name']}\n{one['id'][:8]}".strip(),
               f"{network.get('name') or network.get('id', '')[:8]}\n{one['project_id']}",
               "\n".join([*one["addresses"], one["mac_address"]])]
        if "host" in one:
            where = f"{one['host']}\n{one['switch']}\nport {one['ofport']}" if one["host"] else \
                f"not on {one['bound_to']}" if one["bound_to"] else ""
            row.append(where)
        rows.append((*row, one["status"], one["packets"]))
    admin = any("host" in one for one in answer["ports"])
    page.table(("PORT\nID", "NETWORK\nPROJECT", "ADDRESSES\nMAC", *(("HOST\nSWITCH",) if admin else ()), "STATUS", "PACKETS"), rows)
    for one in answer["ports"]:
        if one.get("error"):
            page.text(f"port {one['name'] or one['id']}: a switch refuses its flow: {one['error']}", indent="  ", first="")
    return FINE


def flows(answer: Answer, page: Page) -> int:
    """`hadron flows`."""
    for switch in answer.get("switches", ()):
        if not switch["read"]:
            page.line(f"# switch {switch['switch']} {switch['host']} does not answer: shown is what it should hold")
    drops = all(one["drop"] for one in answer["flows"])
    for one in sorted(answer["flows"], key=lambda one: -(one["packets"] or 0)) if drops else answer["flows"]:
        if page.wide:
            page.line(f"{one['text']}  # {_about(one)}")
            continue
        page.text(one["text"], indent="    ", first="")
        page.text(_about(one), indent="  #   ", first="  # ")
    if not answer["flows"]:
        page.line("no flow")
    return FINE


def _about(flow: Answer) -> str:
    places = flow.get("places", ())
    parts = [f"{place['state'].upper()} on {place['host'] or place['switch']}" for place in places
             if place["state"] not in (None, "held")]
    if flow["owner"]:
        parts.append(f"{flow['owned_by']}, {flow['rule'].removeprefix('apps.')}")
    if flow["drop"]:
        parts.append(f"dropped: {flow['drop']}")
    if flow["packets"] is not None:
        parts.append(f"{flow['packets']} packets {size(flow['bytes'])}")
    parts += [f"{name} {what}" for name, what in flow["names"].items() if what != flow.get("owned_by")]
    if flow["cookie"]:
        parts.append(f"cookie {flow['cookie']}")
    if len(places) > 1:
        parts.append(f"on {_names([place['host'] or place['switch'] for place in places])}")
    return "; ".join(parts)


def _names(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def why(answer: Answer, page: Page) -> int:
    """`hadron why`."""
    if not answer["exact"]:
        page.line("No flow has just this cookie now; these are of the same app and object:")
        page.line()
    for number, one in enumerate(answer["flows"]):
        if number:
            page.line()
        _explain(one, page)
    if answer["found"] > len(answer["flows"]):
        page.line()
        page.line(f"... and {answer['found'] - len(answer['flows'])} more")
    return FINE


def _explain(one: Answer, page: Page) -> None:
    rule, said = one["rule"], _Said(page)
    page.text(one["text"], indent="    ", first="")
    if one["purpose"]:
        said("table", f"{one['table']}: {one['purpose']}")
        said("level", f"{one['level'] or ''} ({one['priority']})".strip())
    if one["drop"]:
        said("drops", one["drop"])
    said("app", f"{rule['app']} ({rule['number']} in cookies)")
    said("rule", f"{rule['rule'].rpartition('.')[2]}, {rule['file']}:{rule['line']}")
    if rule["about"]:
        said("", rule["about"])
    if rule["answers"]:
        said("", f"packets that it sends to the controller are answered by {rule['answers']}")
    said("for", object_words(one["object"]))
    if one["object"]:
        said("", written_words(one["object"]))
    for place, reason in enumerate(reason for reason in one["because"] if reason["id"] != (one["object"] or {}).get("id")):
        said("because" if not place else "", object_words(reason) + ("" if reason["alone"] else " (or another like it)"))
        said("", written_words(reason))
    for name, what in one["names"].items():
        said("where", f"{name} is {what}")
    if one.get("on"):
        places = [place["host"] or place["switch"] for place in one["places"]]
        said("on", _names(places) if one["on"] <= len(places) else f"{one['on']} switches: {_names(places)}, ...")
    if one["cookie"]:
        said("cookie", one["cookie"])


class _Said:
    """Prints a word and what is said of it, as in a dictionary."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def __call__(self, word: str, text: str) -> None:
        if text:
            self._page.text(text, indent=" " * 11, first=f"  {word:<8} ")


def audit(answer: Answer, page: Page) -> int:
    """`hadron audit`."""
    rows = []
    for one in answer["switches"]:
        done = "" if one["repaired"] is None else "repaired" if one["repaired"] else "not yet"
        rows.append((one["switch"], one["host"], one["state"], one["held"], one["alien"], one["missing"], one["altered"], done))
    page.table(("SWITCH", "HOST", "STATE", "HELD", "ALIEN", "MISSING", "ALTERED", ""), rows)
    for one in answer["switches"]:
        for example in one["examples"]:
            page.text(example["text"], indent="    ", first=f"{example['what']} on {one['host'] or one['switch']}: ")
            if example["called"]:
                page.line(f"  # {example['called']}, {example['rule']}")
    for one in answer["refused"]:
        page.text(f"refused by {one['host'] or one['switch']}: {one['said']}: {one['text']}", indent="    ", first="")
        page.line(f"  # {one['called']}, {one['rule']}")
    for one in answer["conflicts"]:
        page.text(f"two rules want different things on {one['host'] or one['switch']}: {one['text']}", indent="    ", first="")
        for unit in one["units"]:
            page.line(f"  # {unit['called']}, {unit['rule']}")
    for one in answer["broken"]:
        page.text(f"a rule failed: {one['question']} of {', '.join(one['of'])}: {one['error']}", indent="    ", first="")
    _recomputed(answer["recompute"], page)
    if answer["alarms"]:
        page.line(f"{len(answer['alarms'])} alarms: hadron alarms")
    page.line("all is as it should be" if answer["fine"] else "something was found, see above")
    return FINE if answer["fine"] else FOUND


def _recomputed(answer: Answer | None, page: Page) -> None:
    if answer is None:
        return
    page.line(f"compiled from nothing: {answer['units']} units, {answer['differ']} differ")
    for one in answer["differences"]:
        page.line(f"  {one['rule']} of {one['called']}: on {one['switches_running']} switches, should be "
                  f"{one['switches_fresh']}")
        for word, name in (("too many", "only_running"), ("lacking", "only_fresh")):
            for text in one[name]:
                page.text(text, indent="      ", first=f"    {word}: ")


def alarms(answer: Answer, page: Page) -> int:
    """`hadron alarms`."""
    for one in answer["alarms"]:
        details = ", ".join(f"{name} {value}" for name, value in one.items()
                            if name not in ("alarm", "at") and value not in (None, ""))
        page.text(f"{moment(one['at'])}  {one['alarm']}: {details}", indent=" " * 21, first="")
    if not answer["alarms"]:
        page.line("no alarm since the controller started")
    return FOUND if answer["alarms"] else FINE


def doctor(answer: Answer, page: Page) -> int:
    """`hadron doctor`."""
    for one in answer["findings"]:
        page.text(f"{one['about']}: {one['text']}", indent="      ", first=f"{one['severity'].upper():<5} ")
        if one["remedy"]:
            page.text(one["remedy"], indent="         ", first="      > ")
    if not answer["findings"]:
        page.line("all is well")
    return FINE if answer["fine"] else FOUND


def forget(answer: Answer, page: Page) -> int:
    """`hadron forget`."""
    facts = ", ".join(f"{count} {kind}" for kind, count in answer["facts"].items())
    page.line(f"{answer['forgotten']} is forgotten: {facts}")
    return FINE
